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
#include "registry/base/holder.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"
#include "registry/base/shares.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/blob_store.h"

namespace outport::store {

// An upload session. It belongs to the repository and the user that began it.
struct UploadSession {
  std::string id;
  RepositoryName repository;
  std::string user;
  DigestAlgorithm algorithm;  // the algorithm that hashes the bytes while they arrive
  int64_t started_ms = 0;
  std::atomic<uint64_t> size_bytes = 0;          // the bytes received so far
  std::atomic<uint64_t> checkpointed_bytes = 0;  // the first bytes, which survive a power cut

  // Only the request that has claimed the session uses the writer. nullptr until a request opens
  // the writer after a start of the store or a failed write.
  std::unique_ptr<BlobWriter> writer = nullptr;

  // The lock of UploadSessions guards the members below.
  uint64_t holder = 0;  // the number of the current claim; 0: the session is not claimed
  size_t works = 0;     // the number of Work objects of the claim
  std::optional<std::chrono::nanoseconds> awaits_client_since = {};
  std::chrono::nanoseconds last_used{0};
  std::optional<Shares::Holding> share = {};  // of the table, while the session is in it

  Notifier released = {};  // notified when the claim ends
};

// The table of open upload sessions, in memory. Each session has a random id. Safe for several
// threads; nothing here blocks.
//
// A request claims its session, so that only one request at a time works on it. A second request
// for the same session waits for the claim, but not for long. If the first request's client sends
// nothing, the second request takes the session over. So a client that lost its connection can
// continue before the store notices the loss.
//
// Shares divides the sessions among the users. A user who has used up the share can begin a session
// only if one of the user's own sessions can be evicted. If the table is full, a user with few
// sessions evicts one of the user who has most.
class UploadSessions {
 public:
  using Session = std::shared_ptr<UploadSession>;  // the table, claims and waiters share it

  struct Limits {
    size_t sessions = 1000;
    std::chrono::seconds idle = std::chrono::hours(168);
    // A session that was unused for this time may be evicted for a new one. A session without bytes
    // may be evicted at once, for a user who has fewer sessions.
    std::chrono::seconds evictable_after = std::chrono::hours(1);
    // If the client of a claiming request sends nothing for this long, another request may take the
    // session over.
    std::chrono::milliseconds stall_limit{2'000};
    // A request waits at most this long for a session that another request has claimed.
    std::chrono::milliseconds max_wait{5'000};
  };
  UploadSessions(const Clock& clock, Limits limits, Metrics& metrics, Log log);

  // The right of one request to work on a session. The request and its work on a pool share the
  // claim. The destructor releases the session, unless another request has taken the session over.
  class Claim {
   public:
    Claim(UploadSessions& table, Session session, uint64_t number, bool took_over)
        : table_(table), session_(std::move(session)), number_(number), took_over_(took_over) {}
    ~Claim() { table_.Release(*session_, number_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    UploadSession& session() const { return *session_; }
    bool took_over() const { return took_over_; }
    // Says whether the request waits for bytes of its client. While the request waits, another
    // request may take the session over. So use the session's writer only while a Work exists.
    void SetAwaitsClient(bool waits) { table_.SetAwaitsClient(*session_, number_, waits); }

   private:
    friend class UploadSessions;
    UploadSessions& table_;
    const Session session_;
    const uint64_t number_;
    const bool took_over_;
  };
  using ClaimPtr = std::shared_ptr<Claim>;  // the request and its work on the pool share a claim

  // Work of a claim's owner on the session. While a Work exists, no other request can take the
  // session over.
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
  // Begins work on the claimed session. kTooManyRequests if another request has taken the session
  // over.
  static Result<Work> BeginWork(ClaimPtr claim);

  // Adds a session. Returns the session that it evicted, or nullptr. kTooManyRequests if the user's
  // share is used up, or if the table is full, and no session can be evicted.
  Result<Session> Add(Session session);
  // Adds a session of a process that has ended, without regard to shares and limits, because its
  // row names this process already.
  void AddLoaded(Session session);
  // Claims a session. Waits if another request has claimed it. kBlobUploadUnknown if this
  // repository and user have no such session. kTooManyRequests if the other request keeps the
  // session for limits().max_wait.
  net::awaitable<Result<ClaimPtr>> AwaitClaim(std::string id, RepositoryName repository,
                                              std::string user);
  // Claims the session without waiting. Returns nullptr if a request has claimed the session, or if
  // the session was removed from the table.
  ClaimPtr ClaimIdle(const Session& session);
  // Returns how many bytes a session has received. kBlobUploadUnknown if this repository and user
  // have no such session.
  Result<uint64_t> Size(const std::string& id, const RepositoryName& repository,
                        const std::string& user) const;
  // Returns a session, whoever has it. kBlobUploadUnknown if there is none with this id.
  Result<Session> Get(const std::string& id) const;
  struct Listed {
    Session session;
    std::chrono::nanoseconds unused{0};  // since its last use; 0 while a request uses it
    bool active = false;                 // a request has claimed it
  };
  // Returns at most `limit` sessions whose ids are greater than `after`, in the order of their ids.
  std::vector<Listed> List(const std::string& after, size_t limit) const;
  // Removes the session from the table. The object exists until the last owner of the pointer
  // releases it.
  void Remove(const UploadSession& session);
  // Removes all sessions that were unused for limits().idle, and returns them.
  std::vector<Session> Expire();
  // Returns all unclaimed sessions.
  std::vector<Session> Idle() const;
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
    uint64_t seen = 0;  // the version of busy->released at the attempt
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
  // Whether the user's share has room for one more session.
  bool HasRoom(const Holder& user) const OUTPORT_REQUIRES_LOCK(mutex_);
  // Returns the session to evict for a new one of this user, or nullptr.
  Session FindVictim(const Holder& user) const OUTPORT_REQUIRES_LOCK(mutex_);
  // Takes the session out of the table.
  void Erase(const std::string& id) OUTPORT_REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const Limits limits_;
  const uint64_t least_;  // the sessions that each user may have as long as they are free
  Shares shares_;         // only used under the mutex
  mutable Mutex mutex_;
  std::map<std::string, Session> sessions_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t claims_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport::store
