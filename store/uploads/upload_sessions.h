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

// An upload under way. It belongs to the repository and the user that began it.
struct UploadSession {
  std::string id;
  RepositoryName repository;
  std::string user;
  DigestAlgorithm algorithm;  // hashed while the bytes arrive
  int64_t started_ms = 0;
  std::atomic<uint64_t> size_bytes = 0;  // received so far
  std::atomic<uint64_t> safe_bytes = 0;  // of these: what a power cut spares

  // Of the claim's holder alone. nullptr: not opened yet since the store was started.
  std::unique_ptr<BlobWriter> writer = nullptr;

  // Of the table, under its lock:
  uint64_t holder = 0;  // the number of the claim on it; 0: none
  size_t works = 0;     // of the holder
  std::optional<std::chrono::nanoseconds> awaits_client_since = {};
  std::chrono::nanoseconds last_used{0};

  Notifier released = {};  // the claim on it ended
};

// The open upload sessions, in memory by random id. Safe for several threads; nothing here blocks.
//
// One request at a time works on a session. A request that finds it claimed waits for a moment; if
// the other one waits for a client that sends nothing, it takes the session over: a client that
// lost its connection need not wait until the store has noticed.
class UploadSessions {
 public:
  using Session = std::shared_ptr<UploadSession>;  // shared by the table, claims and waiters

  struct Limits {
    size_t sessions = 1000;
    std::chrono::seconds idle = std::chrono::hours(168);
    // When the table is full, a session that nobody used for this long makes room for a new one.
    std::chrono::seconds reclaimable = std::chrono::hours(1);
    // How long a client may send nothing before another request takes the session over.
    std::chrono::milliseconds stalled{2'000};
    // How long a request waits for a session that another one works on.
    std::chrono::milliseconds patience{5'000};
  };
  UploadSessions(const Clock& clock, Limits limits) : clock_(clock), limits_(limits) {}

  // A session for the work of one request. Shared by the request and the work it started on a pool;
  // the last one gives the session back, if it was not taken over.
  class Claim {
   public:
    Claim(UploadSessions& table, Session session, uint64_t number, bool took_over)
        : table_(table), session_(std::move(session)), number_(number), took_over_(took_over) {}
    ~Claim() { table_.Release(*session_, number_); }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    UploadSession& session() const { return *session_; }
    bool took_over() const { return took_over_; }
    // The client's next bytes are waited for, or have come. While they are waited for, another
    // request may take the session over; then nothing of it may be used but by Work.
    void AwaitClient(bool waiting) { table_.AwaitClient(*session_, number_, waiting); }

   private:
    friend class UploadSessions;
    UploadSessions& table_;
    const Session session_;
    const uint64_t number_;
    const bool took_over_;
  };
  using ClaimPtr = std::shared_ptr<Claim>;  // shared by the request and its work on the pool

  // While one lives nobody takes the session over.
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
  static Result<Work> Begin(ClaimPtr claim);

  // Returns the session that had to make room for it, or nullptr; kTooManyRequests when the table
  // is full.
  Result<Session> Add(Session session);
  // kBlobUploadUnknown if there is no such session of this repository and user; kTooManyRequests
  // if another request goes on working on it.
  net::awaitable<Result<ClaimPtr>> Await(std::string id, RepositoryName repository,
                                         std::string user);
  // One that nobody works on; nullptr otherwise.
  ClaimPtr TakeIdle(const Session& session);
  // How much a session received; kBlobUploadUnknown.
  Result<uint64_t> Size(const std::string& id, const RepositoryName& repository,
                        const std::string& user) const;
  // The session is gone for everybody from here on, but for those who hold it.
  void Remove(const UploadSession& session);
  // Removes what nobody used for limits.idle.
  std::vector<Session> Expire();
  // Open sessions that nobody works on and nobody used for `idle`, of which a power cut would take
  // bytes.
  std::vector<Session> Unsafe(std::chrono::nanoseconds idle) const;
  size_t Count() const;
  const Limits& limits() const { return limits_; }

 private:
  // What a look for a session came to: a claim, or when to look again.
  struct Attempt {
    ClaimPtr claim = nullptr;
    Session busy = nullptr;
    uint64_t seen = 0;  // of busy->released
    std::chrono::nanoseconds look_again{0};
  };
  Result<Attempt> Try(const std::string& id, const RepositoryName& repository,
                      const std::string& user);
  ClaimPtr Take(const Session& session) OUTPORT_REQUIRES_LOCK(mutex_);
  void Release(UploadSession& session, uint64_t number);
  void AwaitClient(UploadSession& session, uint64_t number, bool waiting);
  void EndWork(UploadSession& session);
  Result<Session> Find(const std::string& id, const RepositoryName& repository,
                       const std::string& user) const OUTPORT_REQUIRES_LOCK(mutex_);
  // Takes a session out of the full table; nullptr if all are in use.
  Session Reclaim() OUTPORT_REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const Limits limits_;
  mutable Mutex mutex_;
  std::map<std::string, Session> sessions_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t claims_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport::store
