#include "node/manifests/manifest_contents.h"

#include <utility>

#include "node/upstream/store_stubs.h"
#include "registry/oci/manifest.h"
#include "registry/records/keys.h"
#include "registry/rpc/unary.h"
#include "registry/storage/free_space.h"

namespace outport::node {
namespace {

constexpr std::chrono::milliseconds kDeadline{10000};  // enough for a manifest of 4 MiB
constexpr size_t kOpenFetches = 64;

bool IsOf(const Digest& digest, const std::string& content) {
  return Digest::Of(digest.algorithm(), AsBytes(content)) == digest;
}

}  // namespace

ManifestContents::ManifestContents(Parts parts)
    : parts_(std::move(parts)),
      flights_(parts_.tasks, "manifests from the store", {.keys = kOpenFetches}, 2 * kDeadline),
      fetched_(parts_.metrics.Counter("outport_node_manifests_fetched_total",
                                      "Manifests fetched from the store.")),
      corrupt_(parts_.metrics.Counter("outport_node_manifests_corrupt_total",
                                      "Manifests whose bytes did not match their digest.")) {}

net::awaitable<Result<ManifestContents::Content>> ManifestContents::Get(
    const std::string& request_id, const RepositoryName& repository, const Digest& digest) {
  auto find = [this, digest] { return FindLocal(digest); };
  CO_TRY(std::optional<std::string> local, co_await Blocking(parts_.pool, std::move(find)));
  if (local.has_value()) co_return std::make_shared<const std::string>(*std::move(local));
  const SingleFlight<Content>::Work work = [this, request_id, repository, digest] {
    return Fetch(request_id, repository, digest);
  };
  auto outcome = co_await flights_.Join(repository.ToString() + '@' + digest.ToString(), work);
  co_return std::move(outcome.result);
}

Result<std::optional<std::string>> ManifestContents::FindLocal(const Digest& digest) {
  TRY(auto content, parts_.meta.Get(keys::Content(digest)));
  if (!content.has_value() || IsOf(digest, *content)) return content;
  corrupt_.Increment();
  parts_.log.Error("manifest corrupt on disk", {{"digest", digest.ToString()}});
  const auto transaction = parts_.meta.Begin();
  TRY_VOID(transaction->Delete(keys::Content(digest)));
  TRY(const LogPosition ignored, transaction->Commit(MetaTransaction::Durability::kBuffered));
  static_cast<void>(ignored);
  return std::optional<std::string>();
}

net::awaitable<Result<ManifestContents::Content>> ManifestContents::Fetch(std::string request_id,
                                                                          RepositoryName repository,
                                                                          Digest digest) {
  // Look again, because an earlier fetch may have finished since the first look.
  auto find = [this, digest] { return FindLocal(digest); };
  CO_TRY(std::optional<std::string> local, co_await Blocking(parts_.pool, std::move(find)));
  if (local.has_value()) co_return std::make_shared<const std::string>(*std::move(local));
  const std::string operation =
      "fetching manifest " + digest.ToString() + " of " + repository.ToString() + " from the store";
  v1::GetManifestRequest request;
  request.set_repository(repository.ToString());
  request.set_digest(digest.ToString());
  rpc::CallOptions options{
      .operation = operation, .timeout = kDeadline, .request_id = std::move(request_id)};
  auto invoke = [store = parts_.channel->Stubs()](auto... arguments) {
    store->replication.async()->GetManifest(arguments...);
  };
  auto response = co_await rpc::Call<v1::GetManifestResponse>(invoke, request, std::move(options));
  if (!response.has_value()) {
    if (response.error().code == ErrorCode::kManifestUnknown) co_return response.error();
    co_return Error{ErrorCode::kUnavailable, std::move(response).error().message};
  }
  auto content = std::make_shared<const std::string>(std::move(*response->mutable_content()));
  if (content->size() > kMaxManifestBytes || !IsOf(digest, *content)) {
    corrupt_.Increment();
    co_return Error{ErrorCode::kUnavailable,
                    operation + ": the bytes from the store do not match the digest; try again"};
  }
  fetched_.Increment();
  // If the node cannot keep the manifest, the pull still succeeds.
  auto keep = [this, digest, content] { return Keep(digest, *content); };
  const Result<void> kept = co_await Blocking(parts_.pool, std::move(keep));
  if (!kept.has_value()) {
    parts_.log.Warning("manifest not kept",
                       {{"digest", digest.ToString()}, {"error", kept.error().message}});
  }
  co_return content;
}

// Does not sync. If a power cut destroys the copy, the check at the next read fails, and the node
// fetches the manifest again.
Result<void> ManifestContents::Keep(const Digest& digest, const std::string& content) {
  TRY_VOID(
      RequireFreeSpace(parts_.blobs, "this node's disk", parts_.headroom_bytes, content.size()));
  const auto transaction = parts_.meta.Begin();
  TRY_VOID(transaction->Put(keys::Content(digest), content));
  TRY(const LogPosition ignored, transaction->Commit(MetaTransaction::Durability::kBuffered));
  static_cast<void>(ignored);
  return {};
}

}  // namespace outport::node
