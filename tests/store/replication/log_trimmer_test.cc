#include "store/replication/log_trimmer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/task_group.h"
#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/replication/log_reader.h"
#include "store/replication/resolve.h"
#include "tests/support/io_thread.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {
namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr std::string_view kEpoch = "epoch";

// A change log with small records, and nodes that acknowledge them.
class LogTrimmerTest : public testing::Test {
 protected:
  std::unique_ptr<LogTrimmer> Trimmer(const LogBounds& bounds, const std::string& owner = "me") {
    return std::make_unique<LogTrimmer>(LogTrimmer::Parts{.meta = *meta_,
                                                          .nodes = *nodes_,
                                                          .clock = store_clock_,
                                                          .pool = pool_,
                                                          .metrics = metrics_,
                                                          .log = Log::Nowhere(),
                                                          .owner = owner,
                                                          .bounds = bounds});
  }
  void Trim(LogTrimmer& trimmer) {
    const Result<void> trimmed = trimmer.Trim();
    EXPECT_TRUE(trimmed.has_value()) << trimmed.error().message;
  }
  // Trims with other bounds, as the store does after a restart.
  void Trim(const LogBounds& bounds) {
    clock_.Advance(WorkLease::kDuration);
    Trim(*Trimmer(bounds));
  }

  void Append(int count) {
    const auto transaction = meta_->Begin();
    for (int i = 0; i < count; ++i) {
      v1::Change change;
      change.mutable_repository()->set_repository("team/app");
      AppendChange(*transaction, change);
    }
    ASSERT_TRUE(transaction->Commit().has_value());
    for (const LogRecord& record : *meta_->ReadLog(1, 100'000, 1 << 30)) {
      positions_.resize(std::max(positions_.size(), record.position.sequence + 1));
      positions_[record.position.sequence] = record.position;
    }
  }
  void AddMember(const std::string& node) {
    v1::NodeRow row;
    row.set_name(node);
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(WriteRow(*transaction, keys::Node(node), row).has_value());
    ASSERT_TRUE(transaction->Commit().has_value());
  }
  void RemoveMember(const std::string& node) {
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(transaction->Delete(keys::Node(node)).has_value());
    ASSERT_TRUE(transaction->Commit().has_value());
  }
  // The node connects, acknowledges, and disconnects.
  void Acknowledge(const std::string& node, uint64_t sequence) {
    const uint64_t ticket = nodes_->Connect(node, "address", [](const Error&) {});
    nodes_->RecordAcknowledgement(node, ticket, sequence);
    nodes_->Disconnect(node, ticket);
  }
  void RestartStore() { nodes_ = std::make_unique<ConnectedNodes>(); }

  // Returns the oldest record that the log has.
  uint64_t First() {
    const auto records = meta_->ReadLog(1, 1, 1);
    const uint64_t first = records->front().position.sequence;
    EXPECT_EQ(TrimmedPosition(*meta_)->sequence + 1, first) << "the row says something else";
    return first;
  }
  bool Has(uint64_t sequence) {
    const auto has = HasPoint(*meta_, std::string(kEpoch), PointAt(sequence));
    EXPECT_TRUE(has.has_value()) << has.error().message;
    return has.value_or(false);
  }
  v1::Position PointAt(uint64_t sequence) {
    return ToPosition(std::string(kEpoch), positions_.at(sequence));
  }
  v1::ChangeLogRow Row() {
    return ReadRow<v1::ChangeLogRow>(*meta_, keys::kChangeLog)->value_or(v1::ChangeLogRow());
  }

  const TemporaryFolder folder_;
  std::unique_ptr<MetaStore> meta_ =
      OpenRocksMetaStore({.folder = folder_.path() / "meta"}, Log::Nowhere()).value();
  std::unique_ptr<ConnectedNodes> nodes_ = std::make_unique<ConnectedNodes>();
  ManualClock clock_;
  StoreClock store_clock_{clock_, "boot"};
  BlockingPool pool_{"trim", 1, 4};
  Metrics metrics_;
  // positions_[n] is that of record n, also after it was trimmed.
  std::vector<LogPosition> positions_ = std::vector<LogPosition>(1);
};

TEST_F(LogTrimmerTest, TrimsBehindTheSlowestNode) {
  AddMember("a");
  AddMember("b");
  Append(100);
  Acknowledge("a", 60);
  Acknowledge("b", 40);
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  EXPECT_EQ(First(), 41u);
  EXPECT_TRUE(Has(40)) << "the trimmed position itself";
  EXPECT_TRUE(Has(41));
  EXPECT_TRUE(Has(100));
  EXPECT_FALSE(Has(39));
  EXPECT_FALSE(Has(0));

  Acknowledge("b", 95);
  Trim(*trimmer);
  EXPECT_EQ(First(), 61u);
  Acknowledge("a", 100);
  Acknowledge("b", 100);
  Trim(*trimmer);
  EXPECT_EQ(First(), 91u) << "the last records stay";
  EXPECT_EQ(meta_->Head()->sequence, 100u);
}

TEST_F(LogTrimmerTest, AnotherHistoryIsNotTheTrimmedPosition) {
  Append(100);
  Trim(*Trimmer({.min_records = 10}));
  ASSERT_EQ(First(), 91u);
  v1::Position other = PointAt(90);
  EXPECT_TRUE(*HasPoint(*meta_, std::string(kEpoch), other));
  other.set_hash(std::string(32, 'x'));
  EXPECT_FALSE(*HasPoint(*meta_, std::string(kEpoch), other));
  EXPECT_FALSE(*HasPoint(*meta_, "another epoch", PointAt(90)));
}

TEST_F(LogTrimmerTest, ANodeOfUnknownPositionLacksEverything) {
  AddMember("a");
  AddMember("new");
  Append(100);
  Acknowledge("a", 100);
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  EXPECT_EQ(First(), 1u);
  Acknowledge("new", 100);
  Trim(*trimmer);
  EXPECT_EQ(First(), 91u);
}

TEST_F(LogTrimmerTest, PositionsSurviveARestartOfTheStore) {
  AddMember("away");
  Append(100);
  Acknowledge("away", 40);
  Trim({.min_records = 10});
  EXPECT_EQ(First(), 41u);
  RestartStore();
  Append(100);
  Trim({.min_records = 10});
  EXPECT_EQ(First(), 41u);
  EXPECT_TRUE(Has(40));

  // The node connects again and has not acknowledged anything on the new stream.
  nodes_->Connect("away", "address", [](const Error&) {});
  Trim({.min_records = 10});
  EXPECT_EQ(First(), 41u);
}

TEST_F(LogTrimmerTest, ARemovedNodeHoldsNothing) {
  AddMember("a");
  AddMember("gone");
  Append(100);
  Acknowledge("a", 100);
  Acknowledge("gone", 5);
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  EXPECT_EQ(First(), 6u);
  RemoveMember("gone");
  Trim(*trimmer);
  EXPECT_EQ(First(), 91u);
  Append(1);
  Trim(*trimmer);
  EXPECT_FALSE(HasRow(*meta_, keys::Acknowledged("gone")).value());
  EXPECT_TRUE(HasRow(*meta_, keys::Acknowledged("a")).value());
}

TEST_F(LogTrimmerTest, TrimsOldRecordsPastANode) {
  const LogBounds bounds{.max_age = days(30), .min_records = 10};
  AddMember("away");
  AddMember("later");
  Append(10);
  Acknowledge("away", 10);
  Append(40);
  Acknowledge("later", 50);
  Trim(bounds);
  EXPECT_EQ(First(), 11u);
  clock_.Advance(days(20));
  Append(50);
  Trim(bounds);
  clock_.Advance(days(9));
  Trim(bounds);
  EXPECT_EQ(First(), 11u) << "younger than 30 days";
  RestartStore();
  clock_.Advance(days(2));
  Trim(bounds);
  EXPECT_EQ(First(), 51u) << "the first 50 records are older";
  EXPECT_FALSE(Has(10));
  EXPECT_TRUE(Has(50)) << "this node can continue";
  clock_.Advance(days(300));
  Trim(bounds);
  EXPECT_EQ(First(), 91u) << "the last records stay, whatever their age";
}

TEST_F(LogTrimmerTest, ANodeBehindTheLogHoldsNothing) {
  const LogBounds bounds{.max_age = days(1), .min_records = 0};
  AddMember("a");
  AddMember("away");
  Append(100);
  Acknowledge("a", 100);
  Acknowledge("away", 10);
  Trim(bounds);
  EXPECT_EQ(First(), 11u);
  clock_.Advance(days(2));
  Trim(bounds);
  Append(100);
  Acknowledge("a", 200);
  Trim(bounds);
  EXPECT_EQ(First(), 200u)
      << "only the slowest node that can continue counts, and one record stays";
}

TEST_F(LogTrimmerTest, ALargeLogIsTrimmedPastANodeAndTheMinimum) {
  AddMember("away");
  Append(1);
  Acknowledge("away", 1);
  Append(99);
  const LogBounds bounds{.max_size_bytes = 2000, .min_records = 1000};
  const auto trimmer = Trimmer(bounds);
  Trim(*trimmer);
  const auto info = *trimmer->Describe();
  EXPECT_LE(info.bytes(), 2000u);
  EXPECT_GT(info.bytes(), 1900u) << "no more than needed";
  EXPECT_EQ(info.first_sequence(), First());
  EXPECT_EQ(info.records(), 101 - First());
  EXPECT_FALSE(Has(1));

  Trim({.max_size_bytes = 0});
  EXPECT_EQ(First(), 100u) << "one record stays";
}

TEST_F(LogTrimmerTest, KeepsWhatASnapshotLacks) {
  const LogBounds bounds{.min_records = 0};
  AddMember("slow");
  Append(100);
  Acknowledge("slow", 10);
  Trim({.max_size_bytes = 0});
  ASSERT_EQ(First(), 100u);
  // The node lacks trimmed changes. Its stream sends a snapshot of the head.
  const uint64_t ticket = nodes_->Connect("slow", "address", [](const Error&) {});
  nodes_->RecordStart("slow", ticket, 100);
  Append(100);
  Trim(bounds);
  EXPECT_EQ(First(), 101u);
  nodes_->RecordAcknowledgement("slow", ticket, 200);
  Trim(bounds);
  EXPECT_EQ(First(), 200u);
}

TEST_F(LogTrimmerTest, TrimsInBatches) {
  Append(2500);
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  EXPECT_EQ(First(), 2491u);
  EXPECT_EQ(metrics_.Counter("outport_store_change_log_trimmed_total", "").Value(), 2490);
  EXPECT_EQ(metrics_.Gauge("outport_store_change_log_records", "").Value(), 10);
  EXPECT_EQ(metrics_.Gauge("outport_store_change_log_bytes", "").Value(),
            static_cast<double>(trimmer->Describe()->bytes()));
}

TEST_F(LogTrimmerTest, CountsFailedAttempts) {
  const auto corrupt = [](MetaTransaction& transaction) {
    return transaction.Put(keys::Node("broken"), "\xff");
  };
  ASSERT_TRUE(Transact(*meta_, corrupt).has_value());
  const auto trimmer = Trimmer({.min_records = 10});
  const auto& failures = metrics_.Counter("outport_store_change_log_trim_failures_total", "");
  EXPECT_EQ(failures.Value(), 0);
  IoThread io;
  TaskGroup tasks(io.executor(), Log::Nowhere());
  tasks.Spawn([&] { return trimmer->FollowUntilCancelled(); });
  const auto patience = std::chrono::steady_clock::now() + seconds(30);
  while (failures.Value() == 0 && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_GE(failures.Value(), 1);
  tasks.Cancel();
  EXPECT_TRUE(tasks.DrainBlocking(patience));
  io.Stop();
}

TEST_F(LogTrimmerTest, OneProcessTrims) {
  Append(100);
  WorkLease other(*meta_, store_clock_, "change-log", "other");
  ASSERT_TRUE(other.Acquire().value());
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  EXPECT_EQ(First(), 1u);
  ASSERT_TRUE(other.Release().has_value());
  Trim(*trimmer);
  EXPECT_EQ(First(), 91u);
}

TEST_F(LogTrimmerTest, AnIdleStoreWritesNothing) {
  AddMember("a");
  Append(100);
  Acknowledge("a", 100);
  const auto trimmer = Trimmer({.min_records = 10});
  Trim(*trimmer);
  const std::string before = Row().SerializeAsString();
  const auto lease = *meta_->Get(keys::Lease("change-log"));
  clock_.Advance(days(29));
  Trim(*trimmer);
  EXPECT_EQ(Row().SerializeAsString(), before);
  EXPECT_EQ(*meta_->Get(keys::Lease("change-log")), lease);
}

TEST_F(LogTrimmerTest, MarksAreBounded) {
  const LogBounds bounds{.max_age = seconds(128)};
  for (int i = 0; i < 300; ++i) {
    clock_.Advance(seconds(31));  // longer than a lease
    Append(1);
    Trim(*Trimmer(bounds));
  }
  EXPECT_EQ(First(), 1u);
  EXPECT_LE(Row().marks_size(), 131);
  EXPECT_GE(Row().marks_size(), 4);
}

TEST_F(LogTrimmerTest, DescribesTheSlowestNode) {
  const auto trimmer = Trimmer({});
  EXPECT_EQ(trimmer->Describe()->slowest_node(), "");
  EXPECT_EQ(trimmer->Describe()->first_sequence(), 1u);
  AddMember("a");
  AddMember("b");
  Append(100);
  Acknowledge("a", 60);
  const uint64_t ticket = nodes_->Connect("b", "address", [](const Error&) {});
  nodes_->RecordAcknowledgement("b", ticket, 40);
  Trim(*trimmer);
  const auto info = *trimmer->Describe();
  EXPECT_EQ(info.slowest_node(), "b");
  EXPECT_EQ(info.slowest_sequence(), 40u);
  EXPECT_TRUE(info.slowest_connected());
  EXPECT_EQ(info.records(), 100u);
  EXPECT_GT(info.bytes(), 100u * 47);
}

TEST_F(LogTrimmerTest, AReaderThatWasOvertakenNeedsASnapshot) {
  Append(2000);
  const NodeScope scope({});
  LogReader reader(*meta_, scope, positions_.at(0));
  ASSERT_TRUE(reader.Next().has_value());
  const uint64_t reached = reader.sequence();
  ASSERT_LT(reached, 1000u);
  Trim(*Trimmer({.min_records = 1000}));
  const auto next = reader.Next();
  ASSERT_FALSE(next.has_value());
  EXPECT_EQ(next.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(
      next.error().message,
      testing::HasSubstr("trimmed up to change 1000, but the node has received only change " +
                         std::to_string(reached)));

  LogReader at_the_edge(*meta_, scope, positions_.at(1000));
  const auto batch = at_the_edge.Next();
  ASSERT_TRUE(batch.has_value()) << batch.error().message;
  EXPECT_EQ(batch->batch().from(), 1000u);
  EXPECT_GT(batch->batch().changes_size(), 0);
}

}  // namespace
}  // namespace outport::store
