#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/blob_store.h"

namespace outport::store {

// An upload under way. It belongs to the repository and the user that began it.
struct UploadSession {
  std::string id;
  RepositoryName repository;
  std::string user;
  std::unique_ptr<BlobWriter> writer;    // used by the claim's holder alone
  std::atomic<uint64_t> size_bytes = 0;  // received so far, for those who only ask
  // Of the table, under its lock:
  bool claimed = false;
  std::chrono::nanoseconds last_used{0};
};

// The open upload sessions, in memory by random id. Safe for several threads. What discards a
// session blocks (its file is removed): Add, Expire, and the end of a claim that was discarded.
class UploadSessions {
 public:
  struct Limits {
    size_t sessions = 1000;
    std::chrono::seconds idle = std::chrono::hours(168);
    // When the table is full, a session that nobody used for this long makes room for a new one.
    std::chrono::seconds reclaimable = std::chrono::hours(1);
  };
  UploadSessions(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  // A session for the work of one request; others are refused it meanwhile. Shared by the request
  // and the work it started on a pool; the last one gives the session back.
  class Claim {
   public:
    Claim(UploadSessions& table, std::shared_ptr<UploadSession> session)
        : table_(table), session_(std::move(session)) {}
    ~Claim() { table_.Release(*session_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    UploadSession& session() const { return *session_; }
    // The session is gone for everybody from here on; its bytes too, when the claim ends.
    void Discard() { table_.Discard(*session_); }

   private:
    UploadSessions& table_;
    const std::shared_ptr<UploadSession> session_;  // shared with the table
  };

  // Returns the new session's id; kTooManyRequests when the table is full.
  Result<std::string> Add(const RepositoryName& repository, const std::string& user,
                          std::unique_ptr<BlobWriter> writer);
  // kBlobUploadUnknown if there is no such session of this repository and user; kTooManyRequests
  // if another request works on it.
  Result<std::shared_ptr<Claim>> Take(const std::string& id, const RepositoryName& repository,
                                      const std::string& user);
  // How much a session received; kBlobUploadUnknown.
  Result<uint64_t> Size(const std::string& id, const RepositoryName& repository,
                        const std::string& user) const;
  // Discards what nobody used for limits.idle; returns how many.
  size_t Expire();
  size_t Count() const;

 private:
  using Table = std::map<std::string, std::shared_ptr<UploadSession>>;
  void Release(UploadSession& session);
  void Discard(UploadSession& session);
  Result<std::shared_ptr<UploadSession>> Find(const std::string& id,
                                              const RepositoryName& repository,
                                              const std::string& user) const
      OUTPORT_REQUIRES_LOCK(mutex_);
  // Takes a session out of the full table; nullptr if all are in use.
  std::shared_ptr<UploadSession> Reclaim() OUTPORT_REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const Limits limits_;
  mutable Mutex mutex_;
  Table sessions_ OUTPORT_GUARDED_BY(mutex_);  // shared with the claims
};

}  // namespace outport::store
