#include "node/replica/change_rows.h"

#include "registry/records/keys.h"

namespace outport::node {
namespace {

Result<RowChange> OfRepository(const v1::Change::RepositoryCreated& change) {
  TRY(const RepositoryName repository, RepositoryName::Parse(change.repository()));
  return RowChange{keys::Repository(repository), change.row().SerializeAsString()};
}

Result<std::string> TagKey(const std::string& repository_text, const std::string& tag_text) {
  TRY(const RepositoryName repository, RepositoryName::Parse(repository_text));
  TRY(const Tag tag, Tag::Parse(tag_text));
  return keys::TagOf(repository, tag);
}

using DigestKey = std::string (*)(const RepositoryName&, const Digest&);

// Returns the key of a referrer's row.
template <class Kind>
Result<std::string> ReferrerKey(const Kind& change) {
  TRY(const RepositoryName repository, RepositoryName::Parse(change.repository()));
  TRY(const Digest subject, Digest::Parse(change.subject()));
  TRY(const Digest digest, Digest::Parse(change.digest()));
  return keys::Referrer(repository, subject, digest);
}

// Returns the change that sets the row of a digest in a repository to `value`, or deletes the row
// if `value` is nullopt.
template <class Kind>
Result<RowChange> AtDigest(DigestKey key, const Kind& change, std::optional<std::string> value) {
  TRY(const RepositoryName repository, RepositoryName::Parse(change.repository()));
  TRY(const Digest digest, Digest::Parse(change.digest()));
  return RowChange{key(repository, digest), std::move(value)};
}

Result<std::optional<RowChange>> Convert(const v1::Change& change) {
  switch (change.kind_case()) {
    case v1::Change::kRepository:
      return OfRepository(change.repository());
    case v1::Change::kTagSet: {
      TRY(std::string key, TagKey(change.tag_set().repository(), change.tag_set().tag()));
      return RowChange{std::move(key), change.tag_set().row().SerializeAsString()};
    }
    case v1::Change::kTagDeleted: {
      TRY(std::string key, TagKey(change.tag_deleted().repository(), change.tag_deleted().tag()));
      return RowChange{std::move(key), std::nullopt};
    }
    case v1::Change::kManifestPut:
      return AtDigest(keys::ManifestOf, change.manifest_put(),
                      change.manifest_put().row().SerializeAsString());
    case v1::Change::kManifestDeleted:
      return AtDigest(keys::ManifestOf, change.manifest_deleted(), std::nullopt);
    case v1::Change::kReferrerSet: {
      TRY(std::string key, ReferrerKey(change.referrer_set()));
      return RowChange{std::move(key), change.referrer_set().row().SerializeAsString()};
    }
    case v1::Change::kReferrerDeleted: {
      TRY(std::string key, ReferrerKey(change.referrer_deleted()));
      return RowChange{std::move(key), std::nullopt};
    }
    case v1::Change::kLink:
      return AtDigest(keys::Link, change.link(), change.link().row().SerializeAsString());
    case v1::Change::kUnlink:
      return AtDigest(keys::Link, change.unlink(), std::nullopt);
    case v1::Change::kUserSet:
      return RowChange{keys::User(change.user_set().name()), change.user_set().SerializeAsString(),
                       false};
    case v1::Change::kUserDeleted:
      return RowChange{keys::User(change.user_deleted().name()), std::nullopt, false};
    case v1::Change::kGrantsSet: {
      const v1::GrantRow& row = change.grants_set();
      RowChange at{keys::GrantsOf(row.subject()), std::nullopt, false};
      if (!row.grants().empty()) at.value = row.SerializeAsString();
      return at;
    }
    case v1::Change::kRevoked:
      return RowChange{
          keys::Revocation(change.revoked().issuer_key_id(), change.revoked().serial()),
          change.revoked().SerializeAsString(), false};
    case v1::Change::kTrust:
      return RowChange{std::string(keys::kTrust), change.trust().SerializeAsString(), false};
    case v1::Change::kTombstone: {
      // The cache drops its copy; the links have changes of their own.
      TRY_VOID(Digest::Parse(change.tombstone().digest()));
      break;
    }
    case v1::Change::KIND_NOT_SET:
      break;
  }
  return std::optional<RowChange>();
}

}  // namespace

Result<std::optional<RowChange>> ToRowChange(const v1::Change& change) {
  Result<std::optional<RowChange>> row = Convert(change);
  if (!row.has_value()) {
    return Error{ErrorCode::kCorrupt, "applying a change from the store: " + row.error().message};
  }
  return row;
}

}  // namespace outport::node
