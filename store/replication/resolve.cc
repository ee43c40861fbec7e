#include "store/replication/resolve.h"

#include "registry/oci/name.h"
#include "registry/records/content_rows.h"
#include "registry/records/keys.h"
#include "store/content/touch.h"

namespace outport::store {
namespace {

Result<ResolveQuestion> FromMessage(const v1::ResolveRequest& request) {
  TRY(RepositoryName repository, RepositoryName::Parse(request.repository()));
  if (request.has_reference()) {
    TRY(Reference reference, ParseReference(request.reference()));
    return AskManifest(std::move(repository), std::move(reference));
  }
  if (request.has_blob()) {
    TRY(Digest digest, Digest::Parse(request.blob()));
    return AskBlob(std::move(repository), std::move(digest));
  }
  return Error{ErrorCode::kInvalidArgument, "resolving in repository '" + request.repository() +
                                                "': the request names no manifest and no blob"};
}

v1::ResolveResponse ToMessage(const ResolveAnswer& answer) {
  v1::ResolveResponse response;
  response.set_found(answer.found());
  response.set_repository_known(answer.repository_known);
  if (!answer.found()) return response;
  response.set_digest(answer.content->digest.ToString());
  response.set_media_type(answer.content->media_type);
  response.set_size_bytes(answer.content->size_bytes);
  return response;
}

// The lease that a touch renewed.
struct Lease {
  Digest digest;
  int64_t left_ms = 0;
};

// Returns nullopt if the repository does not have the content.
Result<std::optional<Lease>> Touch(Content& content, const ResolveQuestion& question) {
  std::optional<Lease> lease;
  Error why;
  if (question.kind == ResolveQuestion::Kind::kBlob) {
    const Digest& digest = std::get<Digest>(question.reference);
    const auto touched = TouchBlob(content, question.repository, digest);
    if (touched.has_value()) return std::optional(Lease{digest, touched->lease_left_ms});
    why = touched.error();
  } else {
    const auto touched = TouchManifest(content, question.repository, question.reference);
    if (touched.has_value()) {
      return std::optional(Lease{touched->info.digest, touched->lease_left_ms});
    }
    why = touched.error();
  }
  const bool absent = why.code == ErrorCode::kBlobUnknown ||
                      why.code == ErrorCode::kManifestUnknown ||
                      why.code == ErrorCode::kNameUnknown;
  if (absent) return lease;
  return why;
}

}  // namespace

v1::Position ToPosition(const std::string& epoch, const LogPosition& position) {
  v1::Position message;
  message.set_epoch(epoch);
  message.set_sequence(position.sequence);
  message.set_hash(std::string(AsText(position.hash)));
  return message;
}

Result<v1::ResolveResponse> Resolve(MetaStore& meta, const std::string& epoch,
                                    const v1::ResolveRequest& request) {
  v1::ResolveResponse response;
  if (request.what_case() == v1::ResolveRequest::kHead) {
    TRY(const LogPosition head, meta.Head());
    *response.mutable_head() = ToPosition(epoch, head);
    return response;
  }
  TRY(const ResolveQuestion question, FromMessage(request));
  const std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const LogPosition head, view->Head());
  TRY(const ResolveAnswer answer, ContentRows(*view).Resolve(question));
  response = ToMessage(answer);
  *response.mutable_head() = ToPosition(epoch, head);
  return response;
}

Result<v1::ResolveResponse> TouchAndResolve(Content& content, const std::string& epoch,
                                            const v1::ResolveRequest& request) {
  TRY(const ResolveQuestion question, FromMessage(request));
  // Touch first: the answer then is newer than the lease, and never promises removed content. A
  // push between the two steps makes them disagree; then repeat both once.
  constexpr int kAttempts = 2;
  for (int attempt = 1;; ++attempt) {
    TRY(const std::optional<Lease> lease, Touch(content, question));
    TRY(v1::ResolveResponse response, Resolve(content.blobs.parts().meta, epoch, request));
    if (!response.found()) return response;
    if (lease.has_value() && lease->digest.ToString() == response.digest()) {
      response.set_lease_left_ms(lease->left_ms);
      return response;
    }
    if (attempt < kAttempts) continue;
    if (!lease.has_value() && question.kind == ResolveQuestion::Kind::kBlob) {
      response.clear_found();
      response.clear_digest();
      response.clear_size_bytes();
    }
    return response;
  }
}

Result<v1::GetManifestResponse> ReadManifest(MetaStore& meta,
                                             const v1::GetManifestRequest& request) {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const Digest digest, Digest::Parse(request.digest()));
  const std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const auto row, ContentRows(*view).FindManifest(repository, digest));
  if (!row.has_value()) {
    return Error{ErrorCode::kManifestUnknown,
                 "repository " + request.repository() + " has no manifest " + request.digest()};
  }
  TRY(std::optional<std::string> content, view->Get(keys::Content(digest)));
  if (!content.has_value() || Digest::Of(digest.algorithm(), AsBytes(*content)) != digest) {
    return Error{ErrorCode::kCorrupt,
                 "reading manifest " + request.digest() + " of repository " + request.repository() +
                     ": the stored bytes are missing or corrupt; push it again"};
  }
  v1::GetManifestResponse response;
  response.set_media_type(row->media_type());
  response.set_content(*std::move(content));
  return response;
}

}  // namespace outport::store
