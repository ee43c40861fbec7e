#include "registry/http/api/handlers.h"

namespace outport::http {
namespace {

// Returns the value of the Range field: "0-<offset of the last byte>", without a unit. An empty
// session has "0-0" too, because the Docker client expects two numbers.
std::string FormatReceived(uint64_t size) {
  return "0-" + std::to_string(size == 0 ? 0 : size - 1);
}

void SetUploadFields(Response& response, const RepositoryName& repository,
                     const UploadStatus& status) {
  response.Set("Location", "/v2/" + repository.ToString() + "/blobs/uploads/" + status.id);
  response.Set("Docker-Upload-UUID", status.id);
  response.Set("Range", FormatReceived(status.size_bytes));
}

void SetBlobLocation(Response& response, const RepositoryName& repository, const PushedBlob& blob) {
  const std::string digest = blob.info.digest.ToString();
  response.Set("Location", "/v2/" + repository.ToString() + "/blobs/" + digest);
  response.Set("Docker-Content-Digest", digest);
  response.Set("Outport-Sequence", std::to_string(blob.sequence));
}

// Returns the range of the client's chunk from Content-Range, or nullopt if the request has no such
// field.
Result<std::optional<ByteRange>> ReadChunkRange(const Request& request) {
  if (request.head.content_range.empty()) return std::optional<ByteRange>();
  TRY(const ByteRange range, ParseChunkRange(request.head.content_range));
  if (request.body.length().value_or(range.size) != range.size) {
    return Error{ErrorCode::kSizeInvalid, "Content-Range " + request.head.content_range +
                                              " does not fit a body of " +
                                              std::to_string(*request.body.length()) + " bytes"};
  }
  return std::optional(range);
}

// If `error` says that the chunk does not continue the session, adds the session's position to the
// response. The client can then resume there (OCI distribution-spec, "Pushing a blob in chunks").
net::awaitable<Error> WithPosition(Registry& registry, const Request& request, Response& response,
                                   Error error) {
  if (error.code != ErrorCode::kRangeInvalid) co_return error;
  const auto status =
      co_await registry.StatUpload(request.caller, request.repository(), request.route.upload_id);
  if (!status.has_value()) co_return status.error();
  SetUploadFields(response, request.repository(), *status);
  co_return error;
}

// Returns the hash algorithm of the upload. The client chooses it, or it is the algorithm of the
// blob to mount.
Result<DigestAlgorithm> ReadDigestAlgorithm(const Request& request) {
  if (request.route.digest_algorithm.has_value()) {
    return ParseDigestAlgorithm(*request.route.digest_algorithm);
  }
  const auto mounted = Digest::Parse(request.route.mount.value_or(""));
  return mounted.has_value() ? mounted->algorithm() : DigestAlgorithm::kSha256;
}

// POST ?mount=&from=: mounts the blob. Returns nullopt if the blob cannot be mounted. The client
// then pushes the blob (OCI distribution-spec, "Mounting a blob from another repository").
net::awaitable<Result<std::optional<PushedBlob>>> Mount(Registry& registry,
                                                        const Request& request) {
  std::optional<PushedBlob> mounted;
  const auto digest = Digest::Parse(*request.route.mount);
  if (!digest.has_value()) co_return mounted;
  std::optional<RepositoryName> from;
  if (request.route.from.has_value()) {
    auto name = RepositoryName::Parse(*request.route.from);
    if (!name.has_value()) co_return mounted;
    from = *std::move(name);
  }
  const Visible visible = VisibleTo(request.rights);
  auto blob =
      co_await registry.MountBlob(request.caller, request.repository(), *digest, from, visible);
  if (blob.has_value()) {
    mounted = *std::move(blob);
  } else if (TraitsOf(blob.error().code).http_status >= 500) {
    co_return std::move(blob).error();
  }
  co_return mounted;
}

// POST ?digest=: pushes the whole blob in one request.
net::awaitable<Result<void>> PostBlob(Registry& registry, const Request& request,
                                      Response& response) {
  CO_TRY(const Digest digest, Digest::Parse(*request.route.digest));
  CO_TRY(const UploadStatus session,
         co_await registry.StartUpload(request.caller, request.repository(), digest.algorithm()));
  const auto blob = co_await registry.FinishUpload(request.caller, request.repository(), session.id,
                                                   std::nullopt, digest, request.body);
  if (!blob.has_value()) {
    // Cancel the session, since no other request knows its id. Ignore an error, because the session
    // may have ended already.
    const Result<void> ignored =
        co_await registry.CancelUpload(request.caller, request.repository(), session.id);
    (void)ignored;
    co_return blob.error();
  }
  SetBlobLocation(response, request.repository(), *blob);
  co_return co_await response.SendEmpty(201);
}

}  // namespace

// POST /v2/<name>/blobs/uploads/: mounts (?mount=&from=), pushes at once (?digest=), or starts an
// upload session.
net::awaitable<Result<void>> StartUpload(Registry& registry, const Request& request,
                                         Response& response) {
  CO_TRY(const DigestAlgorithm algorithm, ReadDigestAlgorithm(request));
  if (request.route.mount.has_value()) {
    CO_TRY(const std::optional<PushedBlob> mounted, co_await Mount(registry, request));
    if (mounted.has_value()) {
      SetBlobLocation(response, request.repository(), *mounted);
      co_return co_await response.SendEmpty(201);
    }
  } else if (request.route.digest.has_value()) {
    co_return co_await PostBlob(registry, request, response);
  }
  CO_TRY(const UploadStatus status,
         co_await registry.StartUpload(request.caller, request.repository(), algorithm));
  SetUploadFields(response, request.repository(), status);
  co_return co_await response.SendEmpty(202);
}

// GET, HEAD /v2/<name>/blobs/uploads/<id>: says how many bytes the session has received.
net::awaitable<Result<void>> GetUpload(Registry& registry, const Request& request,
                                       Response& response) {
  CO_TRY(
      const UploadStatus status,
      co_await registry.StatUpload(request.caller, request.repository(), request.route.upload_id));
  SetUploadFields(response, request.repository(), status);
  co_return co_await response.SendEmpty(204);
}

// PATCH /v2/<name>/blobs/uploads/<id>: appends a chunk (with Content-Range) or a stream.
net::awaitable<Result<void>> AppendUpload(Registry& registry, const Request& request,
                                          Response& response) {
  const auto range = ReadChunkRange(request);
  if (!range.has_value()) {
    co_return co_await WithPosition(registry, request, response, range.error());
  }
  const auto status = co_await registry.AppendUpload(request.caller, request.repository(),
                                                     request.route.upload_id, *range, request.body);
  if (!status.has_value()) {
    co_return co_await WithPosition(registry, request, response, status.error());
  }
  SetUploadFields(response, request.repository(), *status);
  co_return co_await response.SendEmpty(202);
}

// PUT /v2/<name>/blobs/uploads/<id>?digest=<digest>: appends the last chunk, if the request has
// one, and commits the blob.
net::awaitable<Result<void>> FinishUpload(Registry& registry, const Request& request,
                                          Response& response) {
  if (!request.route.digest.has_value()) {
    co_return Error{ErrorCode::kDigestInvalid,
                    "the upload cannot be finished without its digest: add ?digest=sha256:…"};
  }
  CO_TRY(const Digest digest, Digest::Parse(*request.route.digest));
  const auto range = ReadChunkRange(request);
  if (!range.has_value()) {
    co_return co_await WithPosition(registry, request, response, range.error());
  }
  const auto blob = co_await registry.FinishUpload(
      request.caller, request.repository(), request.route.upload_id, *range, digest, request.body);
  if (!blob.has_value()) {
    co_return co_await WithPosition(registry, request, response, blob.error());
  }
  SetBlobLocation(response, request.repository(), *blob);
  co_return co_await response.SendEmpty(201);
}

// DELETE /v2/<name>/blobs/uploads/<id>: ends the session and discards its bytes.
net::awaitable<Result<void>> CancelUpload(Registry& registry, const Request& request,
                                          Response& response) {
  CO_TRY_VOID(co_await registry.CancelUpload(request.caller, request.repository(),
                                             request.route.upload_id));
  co_return co_await response.SendEmpty(204);
}

}  // namespace outport::http
