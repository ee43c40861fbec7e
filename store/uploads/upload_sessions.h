#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/blob_store.h"

namespace outport::store {

// An upload session. It belongs to the repository and the user that began it.
struct UploadSession {
  std::string id;
  RepositoryName repository;
  std::string user;
  DigestAlgorithm algorithm;  // of the hash computed while the bytes arrive
  int64_t started_ms = 0;
  std::atomic<uint64_t> size_bytes = 0;          // received so far
  std::atomic<uint64_t> checkpointed_bytes = 0;  // of these; they survive a power cut

  // Only the holder of the claim uses the writer. nullptr: not opened since the store started.
  std::unique_ptr<BlobWriter> writer = nullptr;

  // Guarded by the lock of UploadSessions:
  uint64_t holder = 0;  // the number of the claim; 0: none
  size_t works = 0;     // how many Work objects the claim has
  std::optional<std::chrono::nanoseconds> awaits_client_since = {};
  std::chrono::nanoseconds last_used{0};

  Notifier released = {};  // notified when the claim ends
};

// The open upload sessions, in memory, by random id. Safe for several threads; nothing here blocks.
//
// One request at a time claims a session. Another request for it waits for a moment. If the
// claiming request waits for a client that sends nothing, the new request takes the session over: a
// client that lost its connection can continue before the store notices the loss.
class UploadSessions {
 public:
  using Session = std::shared_ptr<UploadSession>;  // shared by the table, claims and waiters

  struct Limits {
    size_t sessions = 1000;
    std::chrono::seconds idle = std::chrono::hours(168);
    // When the table is full, a new session evicts one that was unused for this long.
    std::chrono::seconds evictable_after = std::chrono::hours(1);
    // A client that sends nothing for this long loses the session to another request.
    std::chrono::milliseconds stall_limit{2'000};
    // How long a request waits for a session that another request has claimed.
    std::chrono::milliseconds max_wait{5'000};
  };
  UploadSessions(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  // The right of one request to work on a session. Shared by the request and its work on a pool.
  // The last owner releases the session, unless another request has taken it over.
  class Claim {
   public:
    Claim(UploadSessions& table, Session session, uint64_t number, bool took_over)
        : table_(table), session_(std::move(session)), number_(number), took_over_(took_over) {}
    ~Claim() { table_.Release(*session_, number_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    UploadSession& session() const { return *session_; }
    bool took_over() const { return took_over_; }
    // Says whether the request waits for bytes of its client. While it waits, another request may
    // take the session over. So a request uses the session's writer only through a Work.
    void SetAwaitsClient(bool waits) { table_.SetAwaitsClient(*session_, number_, waits); }

   private:
    friend class UploadSessions;
    UploadSessions& table_;
    const Session session_;
    const uint64_t number_;
    const bool took_over_;
  };
  using ClaimPtr = std::shared_ptr<Claim>;  // shared by the request and its work on the pool

  // While a Work exists, no other request takes the session over.
  class Work {
   public:
    Work(Work&&) = default;
    ~Work();
    UploadSession& session() const { return claim_->session(); }

   private:
    friend class UploadSessions;
    explicit Work(ClaimPtr claim) : claim_(std::move(claim)) {}
    ClaimPtr claim_;
  };
  // kTooManyRequests if another request took the session over.
  static Result<Work> BeginWork(ClaimPtr claim);

  // Adds a session. Returns the session that it evicted, or nullptr. kTooManyRequests if the table
  // is full and no session can be evicted.
  Result<Session> Add(Session session);
  // Claims a session. kBlobUploadUnknown if this repository and user have no such session;
  // kTooManyRequests if another request keeps it for limits().max_wait.
  net::awaitable<Result<ClaimPtr>> AwaitClaim(std::string id, RepositoryName repository,
                                              std::string user);
  // Claims the session, or returns nullptr if a request has claimed it or it was removed.
  ClaimPtr ClaimIdle(const Session& session);
  // Returns how many bytes a session has received. kBlobUploadUnknown as above.
  Result<uint64_t> Size(const std::string& id, const RepositoryName& repository,
                        const std::string& user) const;
  // Removes the session from the table. Owners of the pointer keep it.
  void Remove(const UploadSession& session);
  // Removes and returns the sessions that were unused for limits().idle.
  std::vector<Session> Expire();
  // Returns the unclaimed sessions that were unused for `idle` and have bytes that are not yet
  // checkpointed.
  std::vector<Session> Uncheckpointed(std::chrono::nanoseconds idle) const;
  size_t Count() const;
  const Limits& limits() const { return limits_; }

 private:
  // The result of an attempt to claim a session: a claim, or the time after which to retry.
  struct Attempt {
    ClaimPtr claim = nullptr;
    Session busy = nullptr;
    uint64_t seen = 0;  // the version of busy->released
    std::chrono::nanoseconds retry_in{0};
  };
  Result<Attempt> TryClaim(const std::string& id, const RepositoryName& repository,
                           const std::string& user);
  ClaimPtr MakeClaim(const Session& session) OUTPORT_REQUIRES_LOCK(mutex_);
  void Release(UploadSession& session, uint64_t number);
  void SetAwaitsClient(UploadSession& session, uint64_t number, bool waits);
  void EndWork(UploadSession& session);
  Result<Session> Find(const std::string& id, const RepositoryName& repository,
                       const std::string& user) const OUTPORT_REQUIRES_LOCK(mutex_);
  // Removes the session that was unused for longest; nullptr if no session can be evicted.
  Session EvictIdlest() OUTPORT_REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const Limits limits_;
  mutable Mutex mutex_;
  std::map<std::string, Session> sessions_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t claims_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport::store
