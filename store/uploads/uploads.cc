#include "store/uploads/uploads.h"

#include <algorithm>
#include <map>
#include <utility>

#include "registry/base/repeat.h"

namespace outport::store {
namespace {

constexpr size_t kIdBytes = 16;
constexpr uint64_t kRereadBytes = 64 << 20;  // the most bytes that one work item on the pool reads

}  // namespace

// The state of a session while Reopen() reads its bytes into a new writer.
struct Uploads::Reopening {
  std::unique_ptr<BlobWriter> writer;
  uint64_t left = 0;
};

Uploads::Uploads(Parts parts)
    : parts_(std::move(parts)),
      sessions_(parts_.clock, parts_.limits.sessions, parts_.metrics, parts_.log),
      stored_({.meta = parts_.meta,
               .bytes = parts_.bytes,
               .clock = parts_.clock,
               .store_clock = parts_.store_clock,
               .owner = parts_.owner,
               .boot_id = parts_.boot_id,
               .log = parts_.log}),
      bodies_({.blobs = parts_.blobs,
               .disk = parts_.disk,
               .clock = parts_.clock,
               .metrics = parts_.metrics,
               .log = parts_.log,
               .limits = parts_.limits.bodies}),
      open_(parts_.metrics.Gauge("outport_store_uploads_open", "Open upload sessions.")),
      expired_(
          parts_.metrics.Counter("outport_store_uploads_expired_total",
                                 "Upload sessions removed because they were idle for too long.")),
      resumed_(parts_.metrics.Counter("outport_store_uploads_recovered_total",
                                      "Upload sessions recovered after a restart.")),
      lost_(parts_.metrics.Counter("outport_store_uploads_unrecoverable_total",
                                   "Upload sessions whose bytes were missing after a restart.")),
      taken_over_(parts_.metrics.Counter("outport_store_uploads_reconnected_total",
                                         "Upload sessions continued by a new request while their "
                                         "previous connection was silent.")) {}

Result<void> Uploads::Load() {
  TRY(const StoredUploads::Loaded loaded, stored_.Load(parts_.limits.sessions));
  for (const UploadSessions::Session& session : loaded.sessions) sessions_.AddLoaded(session);
  lost_.Increment(static_cast<double>(loaded.lost));
  expired_.Increment(static_cast<double>(loaded.expired));
  CountSessions();
  if (loaded.sessions.size() + loaded.lost + loaded.expired > 0) {
    parts_.log.Info(
        "upload sessions loaded",
        {{"open", loaded.sessions.size()}, {"lost", loaded.lost}, {"expired", loaded.expired}});
  }
  return {};
}

net::awaitable<Result<UploadStatus>> Uploads::Start(Actor by, RepositoryName repository,
                                                    DigestAlgorithm algorithm) {
  auto session =
      std::make_shared<UploadSession>(RandomHex(kIdBytes), std::move(repository),
                                      std::move(by.name), algorithm, parts_.store_clock.NowMs());
  auto start = [this, session]() -> Result<void> {
    TRY_VOID(parts_.blobs.RequireFreeSpace(
        0, {.user = session->user, .repository = session->repository.ToString()}));
    TRY(session->writer, parts_.bytes.Create(session->algorithm, session->id));
    Result<void> entered = stored_.Record(*session);
    session->last_used = parts_.clock.SinceBoot();
    Result<UploadSessions::Session> evicted =
        entered.has_value() ? sessions_.Add(session)
                            : Result<UploadSessions::Session>(entered.error());
    if (!evicted.has_value()) {
      stored_.Forget(*session);
      return evicted.error();
    }
    if (*evicted != nullptr) stored_.Forget(**evicted);
    return {};
  };
  CO_TRY_VOID(co_await Blocking(parts_.disk, std::move(start)));
  CountSessions();
  co_return UploadStatus{session->id, 0};
}

Result<UploadStatus> Uploads::Stat(const Actor& by, const RepositoryName& repository,
                                   const std::string& id) const {
  TRY(const uint64_t size, sessions_.Size(id, repository, by.name));
  return UploadStatus{id, size};
}

net::awaitable<Result<Uploads::ClaimPtr>> Uploads::ClaimSession(std::string user,
                                                                RepositoryName repository,
                                                                std::string id) {
  CO_TRY(ClaimPtr claim,
         co_await sessions_.AwaitClaim(std::move(id), std::move(repository), std::move(user)));
  if (claim->took_over()) taken_over_.Increment();
  CO_TRY_VOID(co_await Reopen(claim));
  co_return claim;
}

// Opens a new writer, if the session has none: after a start of the store, or after a failed write.
// Reads all bytes again, because the new writer must compute the hash and the checksums from the
// first byte on.
net::awaitable<Result<void>> Uploads::Reopen(ClaimPtr claim) {
  UploadSession& session = claim->session();
  if (session.writer != nullptr) co_return Result<void>();
  const auto reopening = std::make_shared<Reopening>();
  auto open = [this, claim, reopening]() -> Result<void> {
    const UploadSession& opened = claim->session();
    reopening->left = opened.size_bytes.load();
    TRY(reopening->writer, parts_.bytes.Resume(opened.algorithm, opened.id, reopening->left));
    return {};
  };
  Result<void> read = co_await Blocking(parts_.disk, std::move(open));
  while (read.has_value() && reopening->left > 0) {
    auto reread = [reopening]() -> Result<void> {
      TRY(reopening->left, reopening->writer->Reread(kRereadBytes));
      return {};
    };
    read = co_await Blocking(parts_.disk, std::move(reread));
  }
  const bool lost = !read.has_value() && (read.error().code == ErrorCode::kNotFound ||
                                          read.error().code == ErrorCode::kCorrupt);
  if (!read.has_value() && !lost) co_return read;
  auto enter = [this, claim, reopening, lost]() -> Result<void> {
    UploadSession& opened = claim->session();
    if (lost) {
      Discard(opened);
      return {};
    }
    Result<void> recorded = stored_.RecordReopened(opened);
    if (recorded.has_value()) {
      opened.writer = std::move(reopening->writer);
    } else if (recorded.error().code == ErrorCode::kBlobUploadUnknown) {
      Discard(opened);
    }
    return recorded;
  };
  CO_TRY_VOID(co_await Blocking(parts_.disk, std::move(enter)));
  if (!lost) {
    resumed_.Increment();
    co_return Result<void>();
  }
  lost_.Increment();
  parts_.log.Warning("upload session lost",
                     {{"upload", session.id}, {"error", read.error().message}});
  co_return Error{ErrorCode::kBlobUploadUnknown, "the bytes of the upload session '" + session.id +
                                                     "' are lost; begin the upload again"};
}

net::awaitable<Result<UploadStatus>> Uploads::Append(Actor by, RepositoryName repository,
                                                     std::string id, std::optional<ByteRange> range,
                                                     ByteSource& body) {
  CO_TRY(const ClaimPtr claim,
         co_await ClaimSession(std::move(by.name), std::move(repository), id));
  const Result<void> received = co_await bodies_.Receive(claim, range, body);
  const Result<void> settled = co_await FinishBody(claim);
  CO_TRY_VOID(received);
  CO_TRY_VOID(settled);
  co_return UploadStatus{std::move(id), claim->session().size_bytes.load()};
}

net::awaitable<Result<PushedBlob>> Uploads::Finish(Actor by, RepositoryName repository,
                                                   std::string id, std::optional<ByteRange> range,
                                                   Digest digest, ByteSource& body) {
  CO_TRY(ClaimPtr claim, co_await ClaimSession(by.name, std::move(repository), std::move(id)));
  const Result<void> received = co_await bodies_.Receive(claim, range, body);
  if (!received.has_value()) {
    const Result<void> settled = co_await FinishBody(std::move(claim));
    static_cast<void>(settled);  // the client gets the first error, that of Receive()
    co_return received.error();
  }
  CO_TRY(Work work, UploadSessions::BeginWork(std::move(claim)));
  // Remove the session even if the commit fails. Otherwise a client that retries with its last
  // chunk would append that chunk twice.
  sessions_.Remove(work.session());
  auto commit = [this, work = std::move(work), digest, by = std::move(by)]() -> Result<PushedBlob> {
    UploadSession& session = work.session();
    auto complete = [this, &session](MetaTransaction& transaction) {
      return stored_.Complete(transaction, session);
    };
    Result<PushedBlob> pushed =
        parts_.blobs.Commit(session.repository, *session.writer, digest, by, complete);
    session.writer.reset();
    if (pushed.has_value()) {
      // If the store had the blob already, the upload's bytes remain: discard them. If that fails,
      // the next start of a process that is alone discards them.
      [[maybe_unused]] const Result<void> best_effort = parts_.bytes.Discard(session.id);
    } else {
      stored_.Forget(session);
    }
    return pushed;
  };
  Result<PushedBlob> pushed = co_await BlockingInProgress(parts_.disk, std::move(commit));
  CountSessions();
  co_return pushed;
}

net::awaitable<Result<void>> Uploads::Cancel(Actor by, RepositoryName repository, std::string id) {
  CO_TRY(ClaimPtr claim,
         co_await sessions_.AwaitClaim(std::move(id), std::move(repository), std::move(by.name)));
  auto cancel = [this, claim = std::move(claim)]() -> Result<void> {
    Discard(claim->session());
    return {};
  };
  co_return co_await Blocking(parts_.disk, std::move(cancel));
}

Uploads::Overview Uploads::ToOverview(const StoredUploads::Listed& row) const {
  // A request that commits the session has removed it from the table, but not yet its row.
  const bool mine = row.row.owner() == parts_.owner.id();
  return {.id = row.id,
          .repository = row.row.repository(),
          .user = row.row.user(),
          .started_ms = row.row.started_ms(),
          .used_ms = row.row.used_ms(),
          .size_bytes = row.row.checkpointed_bytes(),
          .active = mine,
          .owner = row.row.owner(),
          .owner_ended = row.owner_ended};
}

Result<RowPage<Uploads::Overview>> Uploads::List(const std::string& after, size_t limit) const {
  using std::chrono::milliseconds;
  TRY(const RowPage<StoredUploads::Listed> rows, stored_.List(after, limit));
  const int64_t now_ms = parts_.store_clock.NowMs();
  std::map<std::string, UploadSessions::Listed> mine;
  for (UploadSessions::Listed& listed : sessions_.List(after, limit)) {
    mine.emplace(listed.session->id, std::move(listed));
  }
  RowPage<Overview> page{.rows = {}, .next = rows.next};
  for (const StoredUploads::Listed& row : rows.rows) {
    Overview& upload = page.rows.emplace_back(ToOverview(row));
    const auto found = mine.find(row.id);
    if (found != mine.end()) {
      const UploadSessions::Listed& listed = found->second;
      upload.used_ms = now_ms - std::chrono::floor<milliseconds>(listed.unused).count();
      upload.size_bytes = listed.session->size_bytes.load();
      upload.active = listed.active;
    }
    upload.expires_ms = upload.used_ms + milliseconds(sessions_.limits().idle).count();
  }
  return page;
}

net::awaitable<Result<Uploads::Cancelled>> Uploads::CancelAny(std::string id, Actor by) {
  const Result<UploadSessions::Session> session = sessions_.Get(id);
  if (session.has_value()) {
    CO_TRY(ClaimPtr claim,
           co_await sessions_.AwaitClaim(id, (*session)->repository, (*session)->user));
    const Result<Cancelled> cancelled = co_await CancelClaimed(std::move(claim), by);
    // If another process has taken the session over, cancel it there.
    const bool elsewhere =
        !cancelled.has_value() && cancelled.error().code == ErrorCode::kBlobUploadUnknown;
    if (!elsewhere) co_return cancelled;
  }
  auto cancel = [this, id = std::move(id), by = std::move(by)] {
    return stored_.CancelRow(id, by);
  };
  co_return co_await Blocking(parts_.disk, std::move(cancel));
}

net::awaitable<Result<Uploads::Cancelled>> Uploads::CancelClaimed(ClaimPtr claim, Actor by) {
  auto cancel = [this, claim = std::move(claim), by = std::move(by)]() -> Result<Cancelled> {
    UploadSession& session = claim->session();
    const Cancelled cancelled{.size_bytes = session.size_bytes.load()};
    const Result<void> done = stored_.Cancel(session, by);
    if (!done.has_value()) {
      if (done.error().code == ErrorCode::kBlobUploadUnknown) Discard(session);
      return done.error();
    }
    sessions_.Remove(session);
    CountSessions();
    return cancelled;
  };
  co_return co_await Blocking(parts_.disk, std::move(cancel));
}

Result<size_t> Uploads::TakeOverPage(std::string& after, StoredUploads::Takeover takeover) {
  const size_t open = sessions_.Count();
  const UploadSessions::Limits& limits = parts_.limits.sessions;
  takeover.room = limits.sessions - std::min(open, limits.sessions);
  takeover.idle = limits.idle;
  TRY(const StoredUploads::Loaded taken, stored_.TakeOverPage(after, takeover));
  for (const UploadSessions::Session& session : taken.sessions) sessions_.AddLoaded(session);
  lost_.Increment(static_cast<double>(taken.lost));
  expired_.Increment(static_cast<double>(taken.expired));
  CountSessions();
  return taken.sessions.size() + taken.lost + taken.expired;
}

void Uploads::Discard(UploadSession& session) {
  sessions_.Remove(session);
  stored_.Forget(session);
  CountSessions();
}

// The pool admits the checkpoint as work in progress, because after an error the client would
// append the same bytes again. If the pool stops, or is full of work in progress, it rejects the
// checkpoint. The session then keeps the bytes, and the client asks for their number.
net::awaitable<Result<void>> Uploads::FinishBody(ClaimPtr claim) {
  const UploadSession& session = claim->session();
  const uint64_t fresh_bytes = session.size_bytes - session.checkpointed_bytes;
  if (fresh_bytes < parts_.limits.max_uncheckpointed_bytes) co_return Result<void>();
  CO_TRY(Work work, UploadSessions::BeginWork(std::move(claim)));
  auto finish = [this, work = std::move(work)]() -> Result<void> {
    UploadSession& finished = work.session();
    return finished.writer == nullptr ? Result<void>() : Checkpoint(finished);
  };
  co_return co_await BlockingInProgress(parts_.disk, std::move(finish));
}

// Makes a checkpoint. If the sync fails, discards the session: after a failed sync, nobody knows
// which bytes are on the disk. Also discards a session that was cancelled, or taken over.
Result<void> Uploads::Checkpoint(UploadSession& session) {
  const uint64_t size_bytes = session.size_bytes.load();
  Result<void> synced = session.writer->Checkpoint();
  if (!synced.has_value()) {
    Discard(session);
    return synced;
  }
  Result<void> recorded = stored_.RecordCheckpoint(session, size_bytes);
  const bool lost = !recorded.has_value() && recorded.error().code == ErrorCode::kBlobUploadUnknown;
  if (lost) Discard(session);
  return recorded;
}

void Uploads::CheckpointIdle(std::chrono::nanoseconds idle,
                             std::chrono::steady_clock::time_point deadline) {
  for (const UploadSessions::Session& session : sessions_.Uncheckpointed(idle)) {
    if (std::chrono::steady_clock::now() >= deadline) return;
    const ClaimPtr claim = sessions_.ClaimIdle(session);
    if (claim == nullptr || session->writer == nullptr) continue;
    const Result<void> saved = Checkpoint(*session);
    if (!saved.has_value()) {
      parts_.log.Warning("upload checkpoint failed",
                         {{"upload", session->id}, {"error", saved.error().message}});
    }
  }
}

size_t Uploads::Expire() {
  const std::vector<UploadSessions::Session> expired = sessions_.Expire();
  for (const UploadSessions::Session& session : expired) stored_.Forget(*session);
  expired_.Increment(static_cast<double>(expired.size()));
  CountSessions();
  return expired.size();
}

size_t Uploads::EndCancelled() {
  size_t ended = 0;
  for (const UploadSessions::Session& session : sessions_.Idle()) {
    if (stored_.IsOurs(*session).value_or(true)) continue;
    const ClaimPtr claim = sessions_.ClaimIdle(session);
    if (claim == nullptr) continue;  // the request finds out by itself
    Discard(*session);
    ++ended;
  }
  return ended;
}

net::awaitable<void> Uploads::ExpireUntilCancelled() {
  constexpr std::chrono::seconds kLongest{20};
  const auto period =
      std::clamp(parts_.limits.sessions.idle / 4, std::chrono::seconds(1), kLongest);
  auto sweep = [this, period] {
    CheckpointIdle(parts_.limits.checkpoint_after, std::chrono::steady_clock::now() + period);
    Expire();
    EndCancelled();
  };
  co_await RepeatBlockingUntilCancelled(period, parts_.disk, std::move(sweep));
}

}  // namespace outport::store
