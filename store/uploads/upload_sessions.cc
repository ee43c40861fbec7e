#include "store/uploads/upload_sessions.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace outport::store {
namespace {

Error Busy(const std::string& id) {
  return Error{ErrorCode::kTooManyRequests,
               "another request uses the upload session '" + id + "'; retry shortly"};
}

// The rows of sessions carry the user's name. So the shares are the same after a restart.
Holder UserOf(const UploadSession& session) {
  return {.kind = HolderKind::kUser, .name = session.user};
}

}  // namespace

UploadSessions::UploadSessions(const Clock& clock, Limits limits, Metrics& metrics, Log log)
    : clock_(clock),
      limits_(limits),
      least_(std::max<uint64_t>(1, limits.sessions / 64)),
      shares_({.what = "upload sessions",
               .capacity = limits.sessions,
               .least = least_,
               .fix = "finish or cancel uploads"},
              metrics, clock, std::move(log)) {}

UploadSessions::Work::~Work() {
  if (claim_ != nullptr) claim_->table_.EndWork(claim_->session());
}

Result<UploadSessions::Work> UploadSessions::BeginWork(ClaimPtr claim) {
  UploadSession& session = claim->session();
  MutexLock lock(claim->table_.mutex_);
  if (session.holder != claim->number_) return Busy(session.id);
  ++session.works;
  return Work(std::move(claim));
}

void UploadSessions::EndWork(UploadSession& session) {
  MutexLock lock(mutex_);
  --session.works;
}

void UploadSessions::SetAwaitsClient(UploadSession& session, uint64_t number, bool waits) {
  MutexLock lock(mutex_);
  if (session.holder != number) return;
  session.awaits_client_since.reset();
  if (waits) session.awaits_client_since = clock_.SinceBoot();
}

Result<UploadSessions::Session> UploadSessions::Add(Session session) {
  MutexLock lock(mutex_);
  const Holder user = UserOf(*session);
  Session evicted = HasRoom(user) ? nullptr : FindVictim(user);
  if (evicted != nullptr) {
    session->share = std::exchange(evicted->share, std::nullopt);
    if (session->share.has_value()) session->share->Rekey(user);
    Erase(evicted->id);
  } else {
    TRY(Shares::Holding share, shares_.Take(user));
    session->share.emplace(std::move(share));
  }
  const std::string id = session->id;
  sessions_.emplace(id, std::move(session));
  return evicted;
}

void UploadSessions::AddLoaded(Session session) {
  MutexLock lock(mutex_);
  // Take() and Rekey() may give a user more than the share; the user then gets nothing more.
  if (shares_.Free() > 0) {
    Result<Shares::Holding> share = shares_.Take(Holder());
    if (share.has_value()) {
      share->Rekey(UserOf(*session));
      session->share.emplace(*std::move(share));
    }
  }
  const std::string id = session->id;
  sessions_.emplace(id, std::move(session));
}

// The rule of Shares. All sessions are added under the mutex, so that Take() then agrees.
bool UploadSessions::HasRoom(const Holder& user) const {
  const uint64_t free = shares_.Free();
  const uint64_t held = shares_.HeldBy(user);
  return free > 0 && (held < least_ || held + 1 <= free - 1);
}

UploadSessions::Session UploadSessions::FindVictim(const Holder& user) const {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  const uint64_t own = shares_.HeldBy(user);
  const bool is_small = shares_.Free() == 0 && own < least_;
  const auto is_evictable = [&](const UploadSession& session, const Holder& of, uint64_t held) {
    if (session.holder != 0 || (of != user && !is_small)) return false;
    if (now - session.last_used >= limits_.evictable_after) return true;
    return of != user && held > own + 1 && session.size_bytes.load() == 0;
  };
  // Of the user who has most: a session without bytes, else the one unused for longest.
  std::pair<std::tuple<uint64_t, bool, std::chrono::nanoseconds>, Session> victim;
  for (const auto& [id, session] : sessions_) {
    const Holder of = UserOf(*session);
    const uint64_t held = shares_.HeldBy(of);
    if (!is_evictable(*session, of, held)) continue;
    const std::tuple rank(held, session->size_bytes.load() == 0, now - session->last_used);
    if (victim.second == nullptr || rank > victim.first) victim = {rank, session};
  }
  return victim.second;
}

void UploadSessions::Erase(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  found->second->share.reset();
  sessions_.erase(found);
}

Result<UploadSessions::Session> UploadSessions::Find(const std::string& id,
                                                     const RepositoryName& repository,
                                                     const std::string& user) const {
  const auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second->repository != repository ||
      found->second->user != user) {
    return Error{ErrorCode::kBlobUploadUnknown,
                 "you have no upload session '" + id + "' in " + repository.ToString() +
                     ": it was finished or cancelled, or it expired; begin the upload again"};
  }
  return found->second;
}

UploadSessions::ClaimPtr UploadSessions::MakeClaim(const Session& session) {
  const bool takes_over = session->holder != 0;
  session->holder = ++claims_;
  session->awaits_client_since.reset();
  return std::make_shared<Claim>(*this, session, session->holder, takes_over);
}

Result<UploadSessions::Attempt> UploadSessions::TryClaim(const std::string& id,
                                                         const RepositoryName& repository,
                                                         const std::string& user) {
  MutexLock lock(mutex_);
  TRY(const Session session, Find(id, repository, user));
  if (session->holder == 0) return Attempt{.claim = MakeClaim(session)};
  std::chrono::nanoseconds left = limits_.stall_limit;
  if (session->works == 0 && session->awaits_client_since.has_value()) {
    left -= clock_.SinceBoot() - *session->awaits_client_since;
    if (left <= std::chrono::nanoseconds(0)) return Attempt{.claim = MakeClaim(session)};
  }
  return Attempt{.busy = session, .seen = session->released.Version(), .retry_in = left};
}

net::awaitable<Result<UploadSessions::ClaimPtr>> UploadSessions::AwaitClaim(
    std::string id, RepositoryName repository, std::string user) {
  using std::chrono::steady_clock;
  const auto deadline = steady_clock::now() + limits_.max_wait;
  for (;;) {
    CO_TRY(Attempt attempt, TryClaim(id, repository, user));
    if (attempt.claim != nullptr) co_return std::move(attempt.claim);
    const auto now = steady_clock::now();
    if (now >= deadline) co_return Busy(id);
    const auto retry_in =
        now + std::max<steady_clock::duration>(attempt.retry_in, std::chrono::milliseconds(1));
    co_await attempt.busy->released.WaitPast(attempt.seen, std::min(deadline, retry_in));
  }
}

UploadSessions::ClaimPtr UploadSessions::ClaimIdle(const Session& session) {
  MutexLock lock(mutex_);
  const bool here = sessions_.contains(session->id);
  return here && session->holder == 0 ? MakeClaim(session) : nullptr;
}

Result<uint64_t> UploadSessions::Size(const std::string& id, const RepositoryName& repository,
                                      const std::string& user) const {
  MutexLock lock(mutex_);
  TRY(const Session session, Find(id, repository, user));
  return session->size_bytes.load();
}

Result<UploadSessions::Session> UploadSessions::Get(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = sessions_.find(id);
  if (found != sessions_.end()) return found->second;
  return Error{ErrorCode::kBlobUploadUnknown, "there is no upload session '" + id +
                                                  "': it was finished or cancelled, or it expired"};
}

std::vector<UploadSessions::Listed> UploadSessions::List(const std::string& after,
                                                         size_t limit) const {
  std::vector<Listed> listed;
  MutexLock lock(mutex_);
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  for (auto it = sessions_.upper_bound(after); it != sessions_.end(); ++it) {
    if (listed.size() == limit) break;
    const bool active = it->second->holder != 0;
    const auto unused = active ? std::chrono::nanoseconds(0) : now - it->second->last_used;
    listed.push_back({.session = it->second, .unused = unused, .active = active});
  }
  return listed;
}

void UploadSessions::Release(UploadSession& session, uint64_t number) {
  {
    MutexLock lock(mutex_);
    if (session.holder != number) return;
    session.holder = 0;
    session.awaits_client_since.reset();
    session.last_used = clock_.SinceBoot();
  }
  session.released.Notify();
}

void UploadSessions::Remove(const UploadSession& session) {
  MutexLock lock(mutex_);
  Erase(session.id);
}

std::vector<UploadSessions::Session> UploadSessions::Expire() {
  std::vector<Session> expired;
  MutexLock lock(mutex_);
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (it->second->holder != 0 || now - it->second->last_used < limits_.idle) {
      ++it;
      continue;
    }
    it->second->share.reset();
    expired.push_back(std::move(it->second));
    it = sessions_.erase(it);
  }
  return expired;
}

std::vector<UploadSessions::Session> UploadSessions::Idle() const {
  std::vector<Session> idle;
  MutexLock lock(mutex_);
  for (const auto& [id, session] : sessions_) {
    if (session->holder == 0) idle.push_back(session);
  }
  return idle;
}

std::vector<UploadSessions::Session> UploadSessions::Uncheckpointed(
    std::chrono::nanoseconds idle) const {
  std::vector<Session> found;
  MutexLock lock(mutex_);
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  for (const auto& [id, session] : sessions_) {
    if (session->holder != 0 || session->writer == nullptr) continue;
    const bool has_more = session->size_bytes.load() > session->checkpointed_bytes.load();
    if (has_more && now - session->last_used >= idle) {
      found.push_back(session);
    }
  }
  return found;
}

size_t UploadSessions::Count() const {
  MutexLock lock(mutex_);
  return sessions_.size();
}

}  // namespace outport::store
