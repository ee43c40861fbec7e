#include "tests/support/memory_registry.h"

#include <algorithm>
#include <chrono>

namespace outport::testing_support {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kHoldLimit{30};

// Returns the page of names after `last`.
template <class Keys>
Page CutPage(const Keys& keys, const PageRequest& request) {
  Page page;
  for (const std::string& key : keys) {
    if (key <= request.last) continue;
    if (page.items.size() == request.limit) {
      page.more = true;
      break;
    }
    page.items.push_back(key);
  }
  return page;
}

}  // namespace

// Returns small pieces, so that a body takes several reads.
class MemoryRegistry::Reader final : public BlobBody {
 public:
  Reader(MemoryRegistry& registry, Digest digest, Content content)
      : registry_(registry),
        content_(std::move(content)),
        info_{.digest = std::move(digest), .size_bytes = content_->size()} {}

  const BlobInfo& info() const override { return info_; }
  net::awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) override {
    ++registry_.blob_reads_;
    for (;;) {
      const uint64_t seen = registry_.released_.Version();
      if (!registry_.held_) break;
      const auto deadline = steady_clock::now() + kHoldLimit;
      if (!co_await registry_.released_.WaitPast(seen, deadline)) {
        co_return Error{ErrorCode::kDeadlineExceeded, "the blob was never released"};
      }
    }
    if (offset >= registry_.broken_from_) {
      co_return Error{ErrorCode::kCorrupt, "the blob is broken"};
    }
    uint64_t size = std::min<uint64_t>({at_most, 60000, content_->size() - offset});
    size = std::min(size, registry_.broken_from_ - offset);
    co_return AsBytes(std::string_view(*content_).substr(offset, size));
  }

 private:
  MemoryRegistry& registry_;
  const Content content_;
  const BlobInfo info_;
};

Digest MemoryRegistry::AddBlob(const std::string& repository, std::string content) {
  MutexLock lock(mutex_);
  Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
  repositories_[repository].blobs.insert_or_assign(
      digest, std::make_shared<const std::string>(std::move(content)));
  return digest;
}

Digest MemoryRegistry::AddManifest(const std::string& repository, const std::string& reference,
                                   const std::string& media_type, std::string body) {
  MutexLock lock(mutex_);
  Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(body));
  Repository& home = repositories_[repository];
  const ManifestInfo info{.digest = digest, .media_type = media_type, .size_bytes = body.size()};
  home.manifests.insert_or_assign(digest, StoredManifest{.info = info, .body = std::move(body)});
  if (!reference.empty()) home.tags.insert_or_assign(reference, digest);
  return digest;
}

void MemoryRegistry::FailNext(Error error) {
  MutexLock lock(mutex_);
  next_failure_ = std::move(error);
}

void MemoryRegistry::SetStaleness(std::optional<Staleness> stale) {
  MutexLock lock(mutex_);
  stale_ = stale;
}

void MemoryRegistry::HoldBlobs() { held_ = true; }
void MemoryRegistry::ReleaseBlobs() {
  held_ = false;
  released_.Notify();
}

size_t MemoryRegistry::OpenUploads() const {
  MutexLock lock(mutex_);
  return uploads_.size();
}

std::optional<Caller> MemoryRegistry::LastCaller() const {
  MutexLock lock(mutex_);
  return last_caller_;
}

Result<void> MemoryRegistry::BeginVerb(const Caller& caller) {
  last_caller_ = caller;
  if (!next_failure_.has_value()) return {};
  return *std::exchange(next_failure_, std::nullopt);
}

Result<StoredManifest> MemoryRegistry::FindManifest(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Reference& reference) {
  MutexLock lock(mutex_);
  TRY_VOID(BeginVerb(caller));
  const auto home = repositories_.find(repository.ToString());
  if (home == repositories_.end()) {
    return Error{ErrorCode::kNameUnknown, "there is no repository " + repository.ToString()};
  }
  const Error unknown{ErrorCode::kManifestUnknown, "there is no manifest " + ToString(reference)};
  const Digest* digest = std::get_if<Digest>(&reference);
  if (const Tag* tag = std::get_if<Tag>(&reference); tag != nullptr) {
    const auto found = home->second.tags.find(tag->ToString());
    if (found == home->second.tags.end()) return unknown;
    digest = &found->second;
  }
  const auto manifest = home->second.manifests.find(*digest);
  if (manifest == home->second.manifests.end()) return unknown;
  StoredManifest answer = manifest->second;
  answer.info.stale = stale_;
  return answer;
}

net::awaitable<Result<StoredManifest>> MemoryRegistry::GetManifest(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Reference& reference) {
  ++manifest_reads_;
  co_return FindManifest(caller, repository, reference);
}

net::awaitable<Result<ManifestInfo>> MemoryRegistry::StatManifest(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const Reference& reference) {
  CO_TRY(const StoredManifest manifest, FindManifest(caller, repository, reference));
  co_return manifest.info;
}

Result<void> MemoryRegistry::CheckReferences(const Repository& repository,
                                             const Manifest& manifest) const {
  Error missing{ErrorCode::kManifestBlobUnknown, "the manifest refers to what is not here"};
  for (const Descriptor& blob : manifest.blobs) {
    if (!repository.blobs.contains(blob.digest)) missing.items.push_back(blob.digest.ToString());
  }
  for (const Descriptor& child : manifest.manifests) {
    if (!repository.manifests.contains(child.digest)) {
      missing.items.push_back(child.digest.ToString());
    }
  }
  if (missing.items.empty()) return {};
  return missing;
}

net::awaitable<Result<PushedManifest>> MemoryRegistry::PutManifest(
    const Caller& caller, const RepositoryName& repository, const Reference& reference,
    const std::string& content_type, const std::vector<Tag>& tags, std::string body) {
  if (before_put_ != nullptr) before_put_(caller);
  CO_TRY(const Manifest manifest, Manifest::Parse(body, content_type));
  const Digest* wanted = std::get_if<Digest>(&reference);
  const auto algorithm = wanted == nullptr ? DigestAlgorithm::kSha256 : wanted->algorithm();
  const Digest digest = Digest::Of(algorithm, AsBytes(body));
  if (wanted != nullptr && *wanted != digest) {
    co_return Error{ErrorCode::kDigestInvalid, "the manifest has the digest " + digest.ToString()};
  }
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  Repository& home = repositories_[repository.ToString()];
  CO_TRY_VOID(CheckReferences(home, manifest));
  const ManifestInfo info{
      .digest = digest, .media_type = manifest.media_type, .size_bytes = body.size()};
  home.manifests.insert_or_assign(digest, StoredManifest{.info = info, .body = std::move(body)});
  if (wanted == nullptr) home.tags.insert_or_assign(ToString(reference), digest);
  for (const Tag& tag : tags) home.tags.insert_or_assign(tag.ToString(), digest);
  PushedManifest pushed{.digest = digest, .subject = std::nullopt, .sequence = ++sequence_};
  if (manifest.subject.has_value()) {
    pushed.subject = manifest.subject->digest;
    home.referrers[manifest.subject->digest].insert_or_assign(
        digest, ReferrerInfo{.digest = digest,
                             .media_type = manifest.media_type,
                             .size_bytes = info.size_bytes,
                             .artifact_type = manifest.artifact_type,
                             .annotations = manifest.annotations});
  }
  co_return pushed;
}

net::awaitable<Result<Deleted>> MemoryRegistry::DeleteManifest(const Caller& caller,
                                                               const RepositoryName& repository,
                                                               const Reference& reference) {
  CO_TRY(const StoredManifest manifest, FindManifest(caller, repository, reference));
  MutexLock lock(mutex_);
  Repository& home = repositories_[repository.ToString()];
  if (std::holds_alternative<Tag>(reference)) {
    home.tags.erase(ToString(reference));
  } else {
    std::erase_if(home.tags, [&](const auto& tag) { return tag.second == manifest.info.digest; });
    for (auto& [subject, referrers] : home.referrers) referrers.erase(manifest.info.digest);
    home.manifests.erase(manifest.info.digest);
  }
  co_return Deleted{++sequence_};
}

net::awaitable<Result<ReferrersPage>> MemoryRegistry::ListReferrers(
    const Caller& caller, const RepositoryName& repository, const Digest& subject,
    const std::string& artifact_type, const PageRequest& request) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  ReferrersPage page{.items = {}, .next = {}, .stale = stale_};
  const auto home = repositories_.find(repository.ToString());
  if (home == repositories_.end()) co_return page;
  for (const auto& [digest, info] : home->second.referrers[subject]) {
    if (digest.ToString() <= request.last) continue;
    if (!artifact_type.empty() && info.artifact_type != artifact_type) continue;
    if (page.items.size() == request.limit) {
      page.next = page.items.back().digest.ToString();
      break;
    }
    page.items.push_back(info);
  }
  co_return page;
}

Result<MemoryRegistry::Content> MemoryRegistry::FindBlob(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& digest) {
  MutexLock lock(mutex_);
  TRY_VOID(BeginVerb(caller));
  const auto home = repositories_.find(repository.ToString());
  if (home == repositories_.end()) {
    return Error{ErrorCode::kNameUnknown, "there is no repository " + repository.ToString()};
  }
  const auto blob = home->second.blobs.find(digest);
  if (blob != home->second.blobs.end()) return blob->second;
  return Error{ErrorCode::kBlobUnknown, "there is no blob " + digest.ToString()};
}

net::awaitable<Result<BlobInfo>> MemoryRegistry::StatBlob(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const Digest& digest) {
  CO_TRY(const Content content, FindBlob(caller, repository, digest));
  co_return BlobInfo{.digest = digest, .size_bytes = content->size()};
}

net::awaitable<Result<std::unique_ptr<BlobBody>>> MemoryRegistry::OpenBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest) {
  CO_TRY(Content content, FindBlob(caller, repository, digest));
  std::unique_ptr<BlobBody> body = std::make_unique<Reader>(*this, digest, std::move(content));
  co_return body;
}

net::awaitable<Result<Deleted>> MemoryRegistry::DeleteBlob(const Caller& caller,
                                                           const RepositoryName& repository,
                                                           const Digest& digest) {
  CO_TRY(const Content content, FindBlob(caller, repository, digest));
  MutexLock lock(mutex_);
  repositories_[repository.ToString()].blobs.erase(digest);
  co_return Deleted{++sequence_};
}

net::awaitable<Result<PushedBlob>> MemoryRegistry::MountBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest,
    const std::optional<RepositoryName>& from, const Visible& visible) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  for (const auto& [name, source] : repositories_) {
    if (from.has_value() && from->ToString() != name) continue;
    const auto blob = source.blobs.find(digest);
    if (blob == source.blobs.end() || !visible(*RepositoryName::Parse(name))) continue;
    const Content content = blob->second;
    repositories_[repository.ToString()].blobs.insert_or_assign(digest, content);
    const BlobInfo info{.digest = digest, .size_bytes = content->size()};
    co_return PushedBlob{.info = info, .sequence = ++sequence_};
  }
  co_return Error{ErrorCode::kBlobUnknown, "no repository to mount " + digest.ToString() + " from"};
}

net::awaitable<Result<Page>> MemoryRegistry::ListTags(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      const PageRequest& request) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  const auto home = repositories_.find(repository.ToString());
  if (home == repositories_.end()) {
    co_return Error{ErrorCode::kNameUnknown, "there is no repository " + repository.ToString()};
  }
  std::set<std::string> tags;
  for (const auto& [tag, digest] : home->second.tags) tags.insert(tag);
  Page page = CutPage(tags, request);
  page.stale = stale_;
  co_return page;
}

net::awaitable<Result<Page>> MemoryRegistry::ListRepositories(const Caller& caller,
                                                              const PageRequest& request,
                                                              const Visible& visible) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  std::set<std::string> names;
  for (const auto& [name, repository] : repositories_) {
    if (visible(*RepositoryName::Parse(name))) names.insert(name);
  }
  Page page = CutPage(names, request);
  page.stale = stale_;
  co_return page;
}

}  // namespace outport::testing_support
