#include "registry/records/keys.h"

#include <array>
#include <charconv>
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

std::string Hex16(uint64_t number) {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(number));
  return hex.data();
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
std::string AbsentUser(std::string_view name) { return Join(kAbsentUsers, {name}); }

std::string GrantsOf(std::string_view subject) { return Join(kGrants, {subject}); }

std::string Certificate(std::string_view issuer_key_id, std::string_view serial) {
  return OfCertificate(kCertificates, issuer_key_id, serial);
}

std::string Revocation(std::string_view issuer_key_id, std::string_view serial) {
  return OfCertificate(kRevocations, issuer_key_id, serial);
}

std::string Node(std::string_view name) { return Join(kNodes, {name}); }
std::string Acknowledged(std::string_view node) { return Join(kAcknowledged, {node}); }
std::string Invitation(std::string_view secret_hash) { return Join(kInvitations, {secret_hash}); }
std::string Cached(const Digest& digest) { return Join(kCachedBlobs, {digest.ToString()}); }

std::string TimeText(int64_t time_ms) { return Hex16(static_cast<uint64_t>(time_ms)); }

std::optional<int64_t> ParseTimeText(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return static_cast<int64_t>(number);
}

std::string Condemned(int64_t due_ms, const RepositoryName& repository, const Digest& digest) {
  return Join(kCondemned, {TimeText(due_ms), repository.ToString(), digest.ToString()});
}

std::string Untagged(const RepositoryName& repository, const Digest& digest) {
  return Join(kUntagged, {repository.ToString(), digest.ToString()});
}

std::string Orphaned(const RepositoryName& repository, const Digest& subject) {
  return Join(kOrphaned, {repository.ToString(), subject.ToString()});
}

std::string Trash(std::string_view run, std::string_view kind, std::string_view repository,
                  std::string_view name) {
  return Join(kTrash, {run, kind, repository, name});
}

std::string Trashed(const RepositoryName& repository, const Digest& digest) {
  return Join("trashed/", {repository.ToString(), digest.ToString()});
}

std::string Run(std::string_view run) { return Join(kRuns, {run}); }

std::string TagEvent(const RepositoryName& repository, const Tag& tag, uint64_t number) {
  return TagEventsOf(repository, tag) + Hex16(~number);
}

std::optional<uint64_t> TagEventNumber(std::string_view key) {
  const std::optional<int64_t> complement = ParseTimeText(key.substr(key.rfind(kSeparator) + 1));
  if (!complement.has_value()) return std::nullopt;
  return ~static_cast<uint64_t>(*complement);
}

std::string TagRule(std::string_view name) { return Join(kTagRules, {name}); }

std::string Pull(const RepositoryName& repository, std::string_view reference) {
  return Join(kPulls, {repository.ToString(), reference});
}

std::string NodeReport(std::string_view node) { return Join(kNodeReports, {node}); }

std::string Pulled(const RepositoryName& repository, std::string_view reference) {
  return Join(kPulled, {repository.ToString(), reference});
}

std::string Lease(std::string_view name) { return Join("lease/", {name}); }
std::string Owner(std::string_view id) { return Join(kOwners, {id}); }

std::string UntaggedIn(const RepositoryName& repository) {
  return Join(kUntagged, {repository.ToString(), ""});
}

std::string OrphanedIn(const RepositoryName& repository) {
  return Join(kOrphaned, {repository.ToString(), ""});
}

std::string TrashOf(std::string_view run, std::string_view kind) {
  return kind.empty() ? Join(kTrash, {run, ""}) : Join(kTrash, {run, kind, ""});
}

std::string TagEventsOf(const RepositoryName& repository) {
  return Join(kTagEvents, {repository.ToString(), ""});
}

std::string TagEventsOf(const RepositoryName& repository, const Tag& tag) {
  return Join(kTagEvents, {repository.ToString(), tag.ToString(), ""});
}

std::string GenerationPrefix(uint64_t generation) {
  return std::string(kGenerations) + Hex16(generation) + '/';
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
