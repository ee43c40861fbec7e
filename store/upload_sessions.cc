#include "store/upload_sessions.h"

#include <utility>
#include <vector>

#include "registry/base/bytes.h"

namespace outport::store {
namespace {

constexpr size_t kIdBytes = 16;

}  // namespace

Result<std::string> UploadSessions::Add(const RepositoryName& repository, const std::string& user,
                                        std::unique_ptr<BlobWriter> writer) {
  std::shared_ptr<UploadSession> reclaimed;  // destroyed outside of the lock
  auto session =
      std::make_shared<UploadSession>(RandomHex(kIdBytes), repository, user, std::move(writer));
  MutexLock lock(mutex_);
  if (sessions_.size() >= limits_.sessions) {
    reclaimed = Reclaim();
    if (reclaimed == nullptr) {
      return Error{ErrorCode::kTooManyRequests,
                   "all " + std::to_string(limits_.sessions) +
                       " upload sessions are open; try again when some have finished"};
    }
  }
  session->last_used = clock_.SinceBoot();
  const std::string id = session->id;
  sessions_.emplace(id, std::move(session));
  return id;
}

std::shared_ptr<UploadSession> UploadSessions::Reclaim() {
  auto idlest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (it->second->claimed) continue;
    if (idlest == sessions_.end() || it->second->last_used < idlest->second->last_used) idlest = it;
  }
  if (idlest == sessions_.end()) return nullptr;
  if (clock_.SinceBoot() - idlest->second->last_used < limits_.reclaimable) return nullptr;
  std::shared_ptr<UploadSession> session = std::move(idlest->second);
  sessions_.erase(idlest);
  return session;
}

Result<std::shared_ptr<UploadSession>> UploadSessions::Find(const std::string& id,
                                                            const RepositoryName& repository,
                                                            const std::string& user) const {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second->repository != repository ||
      found->second->user != user) {
    return Error{ErrorCode::kBlobUploadUnknown,
                 "there is no upload session '" + id + "' of yours in " + repository.ToString() +
                     "; it is finished, was cancelled or expired, or the store was restarted: "
                     "begin the upload again"};
  }
  return found->second;
}

Result<std::shared_ptr<UploadSessions::Claim>> UploadSessions::Take(
    const std::string& id, const RepositoryName& repository, const std::string& user) {
  MutexLock lock(mutex_);
  TRY(std::shared_ptr<UploadSession> session, Find(id, repository, user));
  if (session->claimed) {
    return Error{ErrorCode::kTooManyRequests,
                 "another request is working on the upload session '" + id + "'"};
  }
  session->claimed = true;
  return std::make_shared<Claim>(*this, std::move(session));
}

Result<uint64_t> UploadSessions::Size(const std::string& id, const RepositoryName& repository,
                                      const std::string& user) const {
  MutexLock lock(mutex_);
  TRY(const std::shared_ptr<UploadSession> session, Find(id, repository, user));
  return session->size_bytes.load();
}

void UploadSessions::Release(UploadSession& session) {
  MutexLock lock(mutex_);
  session.claimed = false;
  session.last_used = clock_.SinceBoot();
}

void UploadSessions::Discard(UploadSession& session) {
  MutexLock lock(mutex_);
  sessions_.erase(session.id);
}

size_t UploadSessions::Expire() {
  std::vector<std::shared_ptr<UploadSession>> expired;  // destroyed outside of the lock
  MutexLock lock(mutex_);
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (it->second->claimed || now - it->second->last_used < limits_.idle) {
      ++it;
      continue;
    }
    expired.push_back(std::move(it->second));
    it = sessions_.erase(it);
  }
  return expired.size();
}

size_t UploadSessions::Count() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}

}  // namespace outport::store
