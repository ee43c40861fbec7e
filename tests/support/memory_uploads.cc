#include "tests/support/memory_registry.h"

// The upload sessions of a MemoryRegistry.
namespace outport::testing_support {
namespace {

Error UnknownUpload(const std::string& id) {
  return Error{ErrorCode::kBlobUploadUnknown, "there is no upload session " + id};
}

}  // namespace

net::awaitable<Result<UploadStatus>> MemoryRegistry::StartUpload(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 DigestAlgorithm) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(BeginVerb(caller));
  const std::string id = "upload-" + std::to_string(next_upload_++);
  uploads_[id] = Upload{.repository = repository.ToString(), .user = caller.user, .content = ""};
  co_return UploadStatus{.id = id, .size_bytes = 0};
}

Result<MemoryRegistry::Upload*> MemoryRegistry::FindUpload(const Caller& caller,
                                                           const RepositoryName& repository,
                                                           const std::string& id) {
  TRY_VOID(BeginVerb(caller));
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || found->second.repository != repository.ToString() ||
      found->second.user != caller.user) {
    return UnknownUpload(id);
  }
  if (found->second.busy) {
    return Error{ErrorCode::kTooManyRequests, "another request works on this upload session"};
  }
  return &found->second;
}

net::awaitable<Result<UploadStatus>> MemoryRegistry::StatUpload(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const std::string& id) {
  MutexLock lock(mutex_);
  CO_TRY(const Upload* upload, FindUpload(caller, repository, id));
  co_return UploadStatus{.id = id, .size_bytes = upload->content.size()};
}

// Appends the body to the session, which is busy for that time.
net::awaitable<Result<void>> MemoryRegistry::Receive(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id,
                                                     std::optional<ByteRange> range,
                                                     ByteSource& body) {
  uint64_t before = 0;
  {
    MutexLock lock(mutex_);
    CO_TRY(Upload * upload, FindUpload(caller, repository, id));
    before = upload->content.size();
    if (range.has_value() && range->offset != before) {
      co_return Error{ErrorCode::kRangeInvalid,
                      "the session has " + std::to_string(before) + " bytes"};
    }
    upload->busy = true;
  }
  std::string buffer(64 << 10, '\0');
  Result<void> outcome;
  for (;;) {
    const auto got = co_await body.Read(std::as_writable_bytes(std::span(buffer)));
    MutexLock lock(mutex_);
    Upload& upload = uploads_[id];
    if (got.has_value() && *got > 0) {
      upload.content.append(buffer, 0, *got);
      continue;
    }
    upload.busy = false;
    if (!got.has_value()) co_return got.error();
    if (range.has_value() && upload.content.size() - before != range->size) {
      co_return Error{ErrorCode::kSizeInvalid, "the body is not as long as Content-Range says"};
    }
    co_return outcome;
  }
}

net::awaitable<Result<UploadStatus>> MemoryRegistry::AppendUpload(const Caller& caller,
                                                                  const RepositoryName& repository,
                                                                  const std::string& id,
                                                                  std::optional<ByteRange> range,
                                                                  ByteSource& body) {
  CO_TRY_VOID(co_await Receive(caller, repository, id, range, body));
  co_return co_await StatUpload(caller, repository, id);
}

net::awaitable<Result<PushedBlob>> MemoryRegistry::FinishUpload(
    const Caller& caller, const RepositoryName& repository, const std::string& id,
    std::optional<ByteRange> range, const Digest& digest, ByteSource& body) {
  CO_TRY_VOID(co_await Receive(caller, repository, id, range, body));
  MutexLock lock(mutex_);
  CO_TRY(Upload * upload, FindUpload(caller, repository, id));
  const auto content = std::make_shared<const std::string>(std::move(upload->content));
  uploads_.erase(id);
  const Digest actual = Digest::Of(digest.algorithm(), AsBytes(*content));
  if (actual != digest) {
    co_return Error{ErrorCode::kDigestInvalid, "the blob has the digest " + actual.ToString()};
  }
  repositories_[repository.ToString()].blobs.insert_or_assign(digest, content);
  const BlobInfo info{.digest = digest, .size_bytes = content->size()};
  co_return PushedBlob{.info = info, .sequence = ++sequence_};
}

net::awaitable<Result<void>> MemoryRegistry::CancelUpload(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const std::string& id) {
  MutexLock lock(mutex_);
  CO_TRY_VOID(FindUpload(caller, repository, id));
  uploads_.erase(id);
  co_return Result<void>();
}

}  // namespace outport::testing_support
