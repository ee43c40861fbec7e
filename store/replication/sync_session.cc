#include "store/replication/sync_session.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

#include "registry/base/bytes.h"
#include "registry/records/access_records.h"
#include "store/fleet/peer_address.h"
#include "store/replication/log_reader.h"
#include "store/replication/resolve.h"
#include "store/replication/snapshot_reader.h"

namespace outport::store {
namespace {

using std::chrono::steady_clock;

constexpr size_t kOutboundLimit = 2;
// A node pings twice a second. A node that neither sends nor receives for this long counts as
// disconnected.
constexpr std::chrono::seconds kSilence{30};
// When the stream must end, the message in progress has this time to leave.
constexpr std::chrono::seconds kLastWrite{1};
// A notification ends these waits; this only bounds them.
constexpr std::chrono::seconds kWait{60};
// A snapshot keeps a view open, and an open view delays the compaction of the database. So a node
// that does not receive its snapshot in this time must start again.
constexpr std::chrono::minutes kSnapshotLimit{15};

// Its destructor removes the stream from the connected nodes, before the stream is destroyed.
class Presence {
 public:
  Presence(ConnectedNodes& nodes, const std::string& node, uint64_t ticket)
      : nodes_(nodes), node_(node), ticket_(ticket) {}
  ~Presence() { nodes_.Disconnect(node_, ticket_); }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

 private:
  ConnectedNodes& nodes_;
  const std::string& node_;
  const uint64_t ticket_;
};

// Returns whether the node's replica has the rows of `scope`. A node that names no patterns has all
// rows.
bool HasRowsOf(const v1::NodeMessage::Hello& hello, const NodeScope& scope) {
  const std::vector<std::string> patterns(hello.scope().begin(), hello.scope().end());
  return patterns.empty() ? scope.everything() : patterns == scope.patterns();
}

}  // namespace

SyncSession::SyncSession(Parts parts, std::string node, SyncStream& stream)
    : parts_(std::move(parts)), node_(std::move(node)), stream_(stream) {}

net::awaitable<Result<void>> SyncSession::Run() {
  using net::experimental::awaitable_operators::operator&&;
  last_heard_ = steady_clock::now();
  ticket_ = parts_.nodes.Connect(node_, AddressOfPeer(stream_.context().peer()),
                                 [this](const Error& why) {
                                   {
                                     MutexLock lock(mutex_);
                                     close_requested_ = why;
                                   }
                                   changed_.Notify();
                                 });
  parts_.log.Info("node connected", {{"address", AddressOfPeer(stream_.context().peer())}});
  co_await (RunPart(Listen()) && ServeUntilClosed());
  if (failure_.has_value()) {
    parts_.log.Warning("node stream closed", {{"error", failure_->message}});
    co_return *failure_;
  }
  parts_.log.Info("node disconnected");
  co_return Result<void>();
}

// Runs the three coroutines other than Listen(). Then ends the stream, which also ends Listen().
net::awaitable<void> SyncSession::ServeUntilClosed() {
  using net::experimental::awaitable_operators::operator&&;
  {
    const Presence presence(parts_.nodes, node_, ticket_);
    co_await (RunPart(FollowLog()) && RunPart(Write()) && RunPart(Watch()));
  }
  stream_.End(failure_.has_value() ? rpc::ToStatus(*failure_) : grpc::Status::OK);
}

net::awaitable<void> SyncSession::RunPart(net::awaitable<Result<void>> work) {
  std::optional<Error> why;
  try {
    Result<void> done = co_await std::move(work);
    if (!done.has_value()) why = std::move(done).error();
  } catch (const std::exception& exception) {
    why = Error{ErrorCode::kInternal,
                "the sync stream failed with an exception: " + std::string(exception.what())};
  }
  Close(std::move(why));
}

void SyncSession::Close(std::optional<Error> why) {
  if (closed_) return;
  closed_ = true;
  failure_ = std::move(why);
  changed_.Notify();
}

std::optional<Error> SyncSession::CloseRequest() {
  MutexLock lock(mutex_);
  return close_requested_;
}

net::awaitable<Result<void>> SyncSession::Listen() {
  v1::NodeMessage message;
  while (co_await stream_.Read(message)) {
    last_heard_ = steady_clock::now();
    if (closed_) continue;
    CO_TRY_VOID(co_await Answer(message));
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncSession::Answer(const v1::NodeMessage& message) {
  switch (message.kind_case()) {
    case v1::NodeMessage::kHello:
      if (hello_.has_value()) break;
      parts_.nodes.RecordVersion(node_, ticket_, message.hello().version());
      hello_ = message.hello();
      changed_.Notify();
      break;
    case v1::NodeMessage::kPing: {
      CO_TRY_VOID(parts_.allowed());
      parts_.nodes.RecordPing(node_, ticket_, ToUnixMillis(parts_.clock.Wall()), message.ping());
      CO_TRY(const LogPosition head, parts_.meta.Head());
      v1::StoreMessage answer;
      answer.mutable_pong()->set_sent_ns(message.ping().sent_ns());
      *answer.mutable_pong()->mutable_head() = ToPosition(parts_.epoch, head);
      co_await Push(std::move(answer));
      break;
    }
    case v1::NodeMessage::kAcknowledge:
      parts_.nodes.RecordAcknowledgement(node_, ticket_, message.acknowledge().sequence());
      break;
    case v1::NodeMessage::KIND_NOT_SET:
      break;
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncSession::FollowLog() {
  while (!hello_.has_value() && !closed_) {
    const uint64_t seen = changed_.Version();
    co_await changed_.WaitPast(seen, steady_clock::now() + kWait);
  }
  if (closed_) co_return Result<void>();
  // Check the node's rights after the stream is among the connected nodes. Then every later change
  // of the rights cuts the stream.
  CO_TRY_VOID(parts_.allowed());
  CO_TRY(const auto permissions, parts_.members.Require(node_));
  const NodeScope scope(*permissions);
  CO_TRY(const std::optional<LogPosition> applied, co_await FindApplied(scope));
  std::optional<Slots::Slot> snapshot;
  if (!applied.has_value()) {
    CO_TRY(Slots::Slot begun, parts_.snapshots.Begin(node_));
    snapshot.emplace(std::move(begun));
  }
  CO_TRY(const LogPosition head, parts_.meta.Head());
  v1::StoreMessage message;
  v1::StoreMessage::Welcome& welcome = *message.mutable_welcome();
  *welcome.mutable_head() = ToPosition(parts_.epoch, head);
  welcome.set_snapshot_follows(!applied.has_value());
  *welcome.mutable_policy() = parts_.policy;
  for (const Grant& grant : permissions->grants()) {
    *welcome.add_permissions() = ToGrantRecord(grant);
  }
  uint64_t sent_pending = PendingVersion();
  CO_TRY(*welcome.mutable_pending_access(), co_await ReadPending(scope));
  // Before the snapshot opens its view: from now on, the log keeps what the snapshot lacks.
  parts_.nodes.RecordStart(node_, ticket_, applied.value_or(head).sequence);
  if (!co_await Push(std::move(message))) co_return Result<void>();
  parts_.log.Info(applied.has_value() ? "change log resumed" : "snapshot started",
                  {{"sequence", hello_->applied().sequence()}, {"head", head.sequence}});

  LogPosition from = applied.value_or(LogPosition());
  if (!applied.has_value()) {
    CO_TRY(from, co_await SendSnapshot(scope));
    snapshot.reset();
  }
  LogReader reader(parts_.meta, scope, from);
  while (!closed_) {
    sent_sequence_ = reader.sequence();
    const uint64_t seen = parts_.meta.HeadChanged().Version();
    // Read the version before the head: a change leaves the list after its commit.
    const uint64_t pending = PendingVersion();
    CO_TRY(const LogPosition now, parts_.meta.Head());
    CO_TRY_VOID(parts_.allowed());
    if (now.sequence > reader.sequence()) {
      CO_TRY_VOID(co_await SendBatch(reader, scope));
    } else if (pending != sent_pending) {
      CO_TRY_VOID(co_await SendPending(scope));
      sent_pending = pending;
    } else {
      co_await WaitForNews(seen, pending);
    }
  }
  co_return Result<void>();
}

uint64_t SyncSession::PendingVersion() const {
  return parts_.access == nullptr ? 0 : parts_.access->pending().Changed().Version();
}

net::awaitable<Result<v1::StoreMessage::PendingAccess>> SyncSession::ReadPending(
    const NodeScope& scope) {
  std::erase_if(listed_, [this](const auto& row) {
    return row.second.has_value() && *row.second <= sent_sequence_;
  });
  if (parts_.access == nullptr || (listed_.empty() && parts_.access->pending().Count() == 0)) {
    co_return v1::StoreMessage::PendingAccess();
  }
  std::set<std::string> pending = parts_.access->pending().Keys();
  std::set<std::string> keys = pending;
  for (const auto& [key, left] : listed_) keys.insert(key);
  struct Read {
    v1::StoreMessage::PendingAccess list;
    uint64_t head = 0;
  };
  auto read_rows = [this, &scope, keys = std::move(keys)]() -> Result<Read> {
    Read read;
    TRY(std::vector<v1::Change> changes, parts_.access->ChangesOf(keys));
    for (v1::Change& change : changes) {
      TRY(auto visible, scope.Filter(std::move(change), parts_.meta));
      if (visible.has_value()) *read.list.add_changes() = *std::move(visible);
    }
    TRY(const LogPosition head, parts_.meta.Head());  // after the rows
    read.head = head.sequence;
    return read;
  };
  CO_TRY(Read read, co_await BlockingInProgress(parts_.pool, std::move(read_rows)));
  for (auto& [key, left] : listed_) {
    if (!left.has_value() && !pending.contains(key)) left = read.head;
  }
  for (const std::string& key : pending) listed_[key] = std::nullopt;
  co_return std::move(read.list);
}

net::awaitable<Result<void>> SyncSession::SendPending(const NodeScope& scope) {
  v1::StoreMessage message;
  CO_TRY(*message.mutable_pending_access(), co_await ReadPending(scope));
  co_await Push(std::move(message));
  co_return Result<void>();
}

// The node applies the last list on top of the rows that it receives. So it must have a list that
// is not older than these rows, or the list would undo later changes. Call this after the rows were
// read and before they are sent.
net::awaitable<Result<void>> SyncSession::RenewPending(const NodeScope& scope) {
  if (parts_.access == nullptr) co_return Result<void>();
  if (listed_.empty() && parts_.access->pending().Count() == 0) co_return Result<void>();
  co_return co_await SendPending(scope);
}

// Returns the position of the node's replica; nullopt if the node cannot continue from that
// position.
net::awaitable<Result<std::optional<LogPosition>>> SyncSession::FindApplied(
    const NodeScope& scope) {
  const v1::Position& applied = hello_->applied();
  if (!HasRowsOf(*hello_, scope)) co_return std::nullopt;
  auto look = [&meta = parts_.meta, epoch = parts_.epoch, applied] {
    return HasPoint(meta, epoch, applied);
  };
  CO_TRY(const bool known, co_await Blocking(parts_.pool, look));
  if (!known) co_return std::nullopt;
  LogPosition position{.sequence = applied.sequence()};
  std::ranges::copy(AsBytes(applied.hash()), position.hash.begin());
  co_return position;
}

net::awaitable<Result<LogPosition>> SyncSession::SendSnapshot(const NodeScope& scope) {
  const auto deadline = steady_clock::now() + kSnapshotLimit;
  auto open = [&meta = parts_.meta, epoch = parts_.epoch, scope] {
    return SnapshotReader::Open(meta, epoch, scope);
  };
  CO_TRY(const std::shared_ptr<SnapshotReader> reader, co_await Blocking(parts_.pool, open));
  CO_TRY_VOID(co_await RenewPending(scope));
  auto read = [reader] { return reader->Next(); };
  for (bool last = false; !last;) {
    if (steady_clock::now() > deadline) {
      co_return Error{
          ErrorCode::kDeadlineExceeded,
          "sending a snapshot: the node did not receive the whole snapshot within 15 minutes"};
    }
    CO_TRY_VOID(parts_.allowed());
    v1::StoreMessage message;
    CO_TRY(*message.mutable_snapshot(), co_await Blocking(parts_.pool, read));
    last = message.snapshot().last();
    if (!co_await Push(std::move(message))) break;
  }
  co_return reader->position();
}

net::awaitable<Result<void>> SyncSession::SendBatch(LogReader& reader, const NodeScope& scope) {
  auto read = [&reader] { return reader.Next(); };
  CO_TRY(v1::StoreMessage message, co_await BlockingInProgress(parts_.pool, read));
  CO_TRY_VOID(co_await RenewPending(scope));
  co_await Push(std::move(message));
  co_return Result<void>();
}

net::awaitable<void> SyncSession::WaitForNews(uint64_t seen_head, uint64_t seen_pending) {
  using net::experimental::awaitable_operators::operator||;
  const auto deadline = steady_clock::now() + kWait;
  const uint64_t own = changed_.Version();
  Notifier& head = parts_.meta.HeadChanged();
  if (parts_.access == nullptr) {
    co_await (head.WaitPast(seen_head, deadline) || changed_.WaitPast(own, deadline));
    co_return;
  }
  Notifier& pending = parts_.access->pending().Changed();
  co_await (head.WaitPast(seen_head, deadline) || pending.WaitPast(seen_pending, deadline) ||
            changed_.WaitPast(own, deadline));
}

net::awaitable<bool> SyncSession::Push(v1::StoreMessage message) {
  while (!closed_ && outbound_.size() >= kOutboundLimit) {
    const uint64_t seen = changed_.Version();
    co_await changed_.WaitPast(seen, steady_clock::now() + kWait);
  }
  if (closed_) co_return false;
  outbound_.push_back(std::move(message));
  changed_.Notify();
  co_return true;
}

net::awaitable<Result<void>> SyncSession::Write() {
  while (!closed_) {
    const uint64_t seen = changed_.Version();
    if (outbound_.empty()) {
      co_await changed_.WaitPast(seen, steady_clock::now() + kWait);
      continue;
    }
    const v1::StoreMessage message = std::move(outbound_.front());
    outbound_.pop_front();
    changed_.Notify();
    writing_ = true;
    const bool written = co_await stream_.Write(message);
    writing_ = false;
    changed_.Notify();
    if (!written) break;
    last_heard_ = steady_clock::now();  // a node that receives messages is alive
  }
  co_return Result<void>();
}

net::awaitable<Result<void>> SyncSession::Watch() {
  std::optional<Error> why;
  while (!closed_) {
    const uint64_t seen = changed_.Version();
    why = CloseRequest();
    if (!why.has_value() && steady_clock::now() >= last_heard_ + kSilence) {
      why =
          Error{ErrorCode::kDeadlineExceeded, "the node sent and received nothing for 30 seconds"};
    }
    if (why.has_value()) Close(why);
    co_await changed_.WaitPast(seen, last_heard_ + kSilence);
  }
  // gRPC sends the status after the message in progress. If the node does not receive that message
  // in time, cancel the stream.
  const auto deadline = steady_clock::now() + kLastWrite;
  while (writing_) {
    const uint64_t seen = changed_.Version();
    if (steady_clock::now() >= deadline) stream_.Cancel();
    co_await changed_.WaitPast(seen, std::max(deadline, steady_clock::now() + kLastWrite));
  }
  co_return Result<void>();
}

}  // namespace outport::store
