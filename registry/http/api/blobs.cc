#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"

namespace outport::http {
namespace {

void SetBlobFields(Response& response, const Digest& digest) {
  response.Set("Docker-Content-Digest", digest.ToString());
  response.Set("ETag", EntityTag(digest));
  response.Set("Accept-Ranges", "bytes");
}

}  // namespace

// GET, HEAD /v2/<name>/blobs/<digest>: sends the blob, or the range of it that the request names.
net::awaitable<Result<void>> GetBlob(Registry& registry, const Request& request,
                                     Response& response) {
  CO_TRY(const Digest digest, Digest::Parse(request.route.reference));
  const bool unchanged = NoneMatchNames(request.head.if_none_match, digest);
  if (response.is_head() || unchanged) {
    CO_TRY(const BlobInfo info,
           co_await registry.StatBlob(request.caller, request.repository(), digest));
    SetBlobFields(response, info.digest);
    if (unchanged) co_return co_await response.SendEmpty(304);
    co_return co_await response.SendHeadOnly("application/octet-stream", info.size_bytes);
  }
  CO_TRY(const std::unique_ptr<BlobBody> blob,
         co_await registry.OpenBlob(request.caller, request.repository(), digest));
  const uint64_t size = blob->info().size_bytes;
  std::string_view range_field = request.head.range;
  if (!RangeApplies(request.head.if_range, digest)) range_field = {};
  const auto range = ParseRange(range_field, size);
  if (!range.has_value()) {
    response.Set("Content-Range", "bytes */" + std::to_string(size));
    co_return range.error();
  }
  SetBlobFields(response, digest);
  co_return co_await response.SendBlob(*blob, *range);
}

// DELETE /v2/<name>/blobs/<digest>: removes the blob from this repository; other repositories keep
// it.
net::awaitable<Result<void>> DeleteBlob(Registry& registry, const Request& request,
                                        Response& response) {
  CO_TRY(const Digest digest, Digest::Parse(request.route.reference));
  CO_TRY(const Deleted deleted,
         co_await registry.DeleteBlob(request.caller, request.repository(), digest));
  response.Set("Outport-Sequence", std::to_string(deleted.sequence));
  co_return co_await response.SendEmpty(202);
}

}  // namespace outport::http
