#include "registry/records/keys.h"

#include <array>
#include <cstdio>
#include <initializer_list>

namespace outport::keys {
namespace {

std::string Join(std::string_view prefix, std::initializer_list<std::string_view> parts) {
  std::string key(prefix);
  for (const std::string_view part : parts) {
    if (key.size() != prefix.size()) key.push_back(kSeparator);
    key.append(part);
  }
  return key;
}

std::string OfCertificate(std::string_view prefix, std::string_view issuer_key_id,
                          std::string_view serial) {
  std::string key = Join(prefix, {issuer_key_id});
  key.push_back('/');
  key.append(serial);
  return key;
}

}  // namespace

std::string Repository(const RepositoryName& repository) {
  return Join(kRepositories, {repository.ToString()});
}

std::string TagOf(const RepositoryName& repository, const Tag& tag) {
  return Join(kTags, {repository.ToString(), tag.ToString()});
}

std::string Tagged(const RepositoryName& repository, const Digest& digest, const Tag& tag) {
  return TagsOn(repository, digest) + tag.ToString();
}

std::string ManifestOf(const RepositoryName& repository, const Digest& digest) {
  return Join(kManifests, {repository.ToString(), digest.ToString()});
}

std::string Content(const Digest& digest) { return Join(kContents, {digest.ToString()}); }

std::string Holder(const Digest& digest, const RepositoryName& repository) {
  return HoldersOf(digest) + repository.ToString();
}

std::string Link(const RepositoryName& repository, const Digest& digest) {
  return Join(kLinks, {repository.ToString(), digest.ToString()});
}

std::string Linked(const Digest& digest, const RepositoryName& repository) {
  return LinkedIn(digest) + repository.ToString();
}

std::string Blob(const Digest& digest) { return Join(kBlobs, {digest.ToString()}); }

std::string ReferenceOf(const Digest& child, const RepositoryName& repository,
                        const Digest& parent) {
  return ReferencesTo(child, repository) + parent.ToString();
}

std::string Referrer(const RepositoryName& repository, const Digest& subject,
                     const Digest& digest) {
  return ReferrersOf(repository, subject) + digest.ToString();
}

std::string Upload(std::string_view id) { return Join(kUploads, {id}); }
std::string Intent(std::string_view object) { return Join(kIntents, {object}); }
std::string User(std::string_view name) { return Join(kUsers, {name}); }

std::string GrantsOf(std::string_view subject) { return Join(kGrants, {subject}); }

std::string Certificate(std::string_view issuer_key_id, std::string_view serial) {
  return OfCertificate(kCertificates, issuer_key_id, serial);
}

std::string Revocation(std::string_view issuer_key_id, std::string_view serial) {
  return OfCertificate(kRevocations, issuer_key_id, serial);
}

std::string Node(std::string_view name) { return Join(kNodes, {name}); }
std::string Invitation(std::string_view secret_hash) { return Join(kInvitations, {secret_hash}); }
std::string Cached(const Digest& digest) { return Join(kCachedBlobs, {digest.ToString()}); }

std::string GenerationPrefix(uint64_t generation) {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(generation));
  return std::string(kGenerations) + hex.data() + '/';
}

std::string TagsOf(const RepositoryName& repository) {
  return Join(kTags, {repository.ToString(), ""});
}

std::string TagsOn(const RepositoryName& repository, const Digest& digest) {
  return Join("tagged/", {repository.ToString(), digest.ToString(), ""});
}

std::string HoldersOf(const Digest& digest) { return Join("holder/", {digest.ToString(), ""}); }
std::string LinkedIn(const Digest& digest) { return Join("linked/", {digest.ToString(), ""}); }

std::string ReferencesTo(const Digest& child, const RepositoryName& repository) {
  return Join("reference/", {child.ToString(), repository.ToString(), ""});
}

std::string ReferrersOf(const RepositoryName& repository, const Digest& subject) {
  return Join(kReferrers, {repository.ToString(), subject.ToString(), ""});
}

std::string_view After(std::string_view key, std::string_view prefix) {
  return key.starts_with(prefix) ? key.substr(prefix.size()) : std::string_view();
}

}  // namespace outport::keys
