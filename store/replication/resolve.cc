#include "store/replication/resolve.h"

#include "registry/oci/name.h"
#include "registry/records/keys.h"

namespace outport::store {
namespace {

// The row at `key`, if there is one.
template <class Row>
Result<std::optional<Row>> Find(const MetaView& view, const std::string& key) {
  TRY(const std::optional<std::string> value, view.Get(key));
  if (!value.has_value()) return std::optional<Row>();
  Row row;
  if (!row.ParseFromString(*value)) {
    return Error{ErrorCode::kCorrupt, "reading a row of the metadata: it does not parse"};
  }
  return std::optional<Row>(std::move(row));
}

Result<void> LookUpReference(const MetaView& view, const RepositoryName& repository,
                             const std::string& text, v1::ResolveResponse& response) {
  TRY(const Reference reference, ParseReference(text));
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    TRY(const auto row, Find<v1::TagRow>(view, keys::TagOf(repository, *tag)));
    if (!row.has_value()) return {};
    response.set_found(true);
    response.set_digest(row->digest());
    response.set_media_type(row->media_type());
    response.set_size_bytes(row->size_bytes());
    return {};
  }
  const Digest& digest = std::get<Digest>(reference);
  TRY(const auto row, Find<v1::ManifestRow>(view, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return {};
  response.set_found(true);
  response.set_digest(digest.ToString());
  response.set_media_type(row->media_type());
  response.set_size_bytes(row->size_bytes());
  return {};
}

Result<void> LookUpBlob(const MetaView& view, const RepositoryName& repository,
                        const std::string& text, v1::ResolveResponse& response) {
  TRY(const Digest digest, Digest::Parse(text));
  TRY(const auto row, Find<v1::LinkRow>(view, keys::Link(repository, digest)));
  if (!row.has_value()) return {};
  response.set_found(true);
  response.set_digest(digest.ToString());
  response.set_size_bytes(row->size_bytes());
  return {};
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
  const std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const LogPosition head, view->Head());
  *response.mutable_head() = ToPosition(epoch, head);
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const auto known, view->Get(keys::Repository(repository)));
  response.set_repository_known(known.has_value());
  switch (request.what_case()) {
    case v1::ResolveRequest::kReference:
      TRY_VOID(LookUpReference(*view, repository, request.reference(), response));
      break;
    case v1::ResolveRequest::kBlob:
      TRY_VOID(LookUpBlob(*view, repository, request.blob(), response));
      break;
    default:
      return Error{ErrorCode::kInvalidArgument,
                   "resolving in " + request.repository() + ": the request asks for nothing"};
  }
  return response;
}

Result<v1::GetManifestResponse> ReadManifest(MetaStore& meta,
                                             const v1::GetManifestRequest& request) {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const Digest digest, Digest::Parse(request.digest()));
  const std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const auto row, Find<v1::ManifestRow>(*view, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) {
    return Error{ErrorCode::kManifestUnknown,
                 "repository " + request.repository() + " has no manifest " + request.digest()};
  }
  TRY(std::optional<std::string> content, view->Get(keys::Content(digest)));
  if (!content.has_value() || Digest::Of(digest.algorithm(), AsBytes(*content)) != digest) {
    return Error{ErrorCode::kCorrupt, "reading manifest " + request.digest() + " of repository " +
                                          request.repository() +
                                          ": its bytes at the store are missing or damaged"};
  }
  v1::GetManifestResponse response;
  response.set_media_type(row->media_type());
  response.set_content(*std::move(content));
  return response;
}

}  // namespace outport::store
