#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "registry/storage/meta_store.h"

// The contract of every MetaStore. An implementation's test instantiates it:
//
//   INSTANTIATE_TEST_SUITE_P(Rocks, MetaStoreContract, testing::Values(&MakeRocksMetaStoreHome));
namespace outport {

// A store that the test can open again, as a new process does.
class MetaStoreHome {
 public:
  virtual ~MetaStoreHome() = default;
  virtual MetaStore& store() = 0;
  virtual void Reopen() = 0;
};

using MakeMetaStoreHome = std::unique_ptr<MetaStoreHome> (*)();

class MetaStoreContract : public testing::TestWithParam<MakeMetaStoreHome> {
 protected:
  using Durability = MetaTransaction::Durability;

  MetaStore& store() { return home_->store(); }

  LogPosition Commit(MetaTransaction& transaction, Durability durability = Durability::kSynced) {
    const auto position = transaction.Commit(durability);
    EXPECT_TRUE(position.has_value()) << position.error().message;
    return position.value_or(LogPosition());
  }

  LogPosition Put(std::string_view key, std::string_view value,
                  const std::vector<std::string>& records = {},
                  Durability durability = Durability::kSynced) {
    const auto transaction = store().Begin();
    EXPECT_TRUE(transaction->Put(key, value).has_value());
    for (const std::string& record : records) transaction->Append(record);
    return Commit(*transaction, durability);
  }

  template <class Readable>
  static std::string Get(Readable& from, std::string_view key) {
    const auto value = from.Get(key);
    EXPECT_TRUE(value.has_value()) << value.error().message;
    return value.value_or(std::nullopt).value_or("(none)");
  }

  // Returns the keys of a scan, joined: "a b c".
  template <class Readable>
  static std::string Keys(Readable& from, const ScanRange& range) {
    const auto rows = from.Scan(range);
    EXPECT_TRUE(rows.has_value()) << rows.error().message;
    std::string keys;
    for (const KeyValue& row : *rows) keys += (keys.empty() ? "" : " ") + row.key;
    return keys;
  }

  static std::vector<std::string> Records(const MetaView& view, uint64_t from = 1,
                                          size_t limit = 100'000, size_t bytes = 1 << 30) {
    std::vector<std::string> texts;
    const auto records = view.ReadLog(from, limit, bytes);
    EXPECT_TRUE(records.has_value()) << records.error().message;
    for (const LogRecord& record : *records) texts.push_back(record.record);
    return texts;
  }

  // Checks that numbers have no gaps from 1 on, that each hash covers the one before, and that the
  // head is the last record.
  static void ExpectSoundLog(const MetaView& view) {
    const auto records = view.ReadLog(1, 1'000'000, 1 << 30);
    ASSERT_TRUE(records.has_value()) << records.error().message;
    LogPosition position;
    for (const LogRecord& record : *records) {
      position = NextPosition(position, record.record);
      ASSERT_EQ(record.position, position);
    }
    EXPECT_EQ(view.Head().value(), position);
  }

  std::unique_ptr<MetaStoreHome> home_ = GetParam()();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MetaStoreContract);

TEST_P(MetaStoreContract, KeepsWhatIsCommitted) {
  Put("a", "1");
  Put("b", std::string("\0\xff", 2));
  home_->Reopen();
  EXPECT_EQ(Get(store(), "a"), "1");
  EXPECT_EQ(Get(store(), "b"), std::string("\0\xff", 2));
  EXPECT_EQ(Get(store(), "c"), "(none)");
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->Delete("a").has_value());
  Commit(*transaction);
  home_->Reopen();
  EXPECT_EQ(Get(store(), "a"), "(none)");
}

TEST_P(MetaStoreContract, BufferedCommitsAreSeenAndSurviveTheProcess) {
  Put("a", "1", {}, Durability::kBuffered);
  EXPECT_EQ(Get(store(), "a"), "1");
  home_->Reopen();
  EXPECT_EQ(Get(store(), "a"), "1");
}

TEST_P(MetaStoreContract, ForgetsWhatIsNotCommitted) {
  {
    const auto transaction = store().Begin();
    ASSERT_TRUE(transaction->Put("a", "1").has_value());
    transaction->Append("x");
  }
  EXPECT_EQ(Get(store(), "a"), "(none)");
  EXPECT_EQ(store().Head()->sequence, 0u);
  Put("a", "2");  // the lock is free
  EXPECT_EQ(Get(store(), "a"), "2");
}

TEST_P(MetaStoreContract, TransactionSeesItsOwnWritesAlone) {
  Put("k/1", "old");
  Put("k/2", "old");
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->Put("k/1", "new").has_value());
  ASSERT_TRUE(transaction->Delete("k/2").has_value());
  ASSERT_TRUE(transaction->Put("k/3", "new").has_value());
  ASSERT_TRUE(transaction->Put("l", "new").has_value());
  EXPECT_EQ(Get(*transaction, "k/1"), "new");
  EXPECT_EQ(Get(*transaction, "k/2"), "(none)");
  EXPECT_EQ(transaction->GetForUpdate("k/3").value(), "new");
  EXPECT_EQ(Keys(*transaction, {.prefix = "k/"}), "k/1 k/3");
  EXPECT_EQ(Keys(*transaction, {.prefix = "k/", .after = "k/1"}), "k/3");
  EXPECT_EQ(Get(store(), "k/1"), "old");
  EXPECT_EQ(Keys(store(), {.prefix = "k/"}), "k/1 k/2");
  Commit(*transaction);
  EXPECT_EQ(Keys(store(), {.prefix = "k/"}), "k/1 k/3");
}

TEST_P(MetaStoreContract, TheLastWriteOfAKeyCounts) {
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->Put("a", "1").has_value());
  ASSERT_TRUE(transaction->Delete("a").has_value());
  ASSERT_TRUE(transaction->Put("a", "2").has_value());
  ASSERT_TRUE(transaction->Put("b", "1").has_value());
  ASSERT_TRUE(transaction->Delete("b").has_value());
  Commit(*transaction);
  EXPECT_EQ(Get(store(), "a"), "2");
  EXPECT_EQ(Get(store(), "b"), "(none)");
}

TEST_P(MetaStoreContract, ScansByPrefixInByteOrder) {
  const auto transaction = store().Begin();
  const std::string nul(1, '\0');
  for (const std::string& key :
       {std::string("tag/b"), "tag/a" + nul + "2", "tag/a" + nul + "10", std::string("tag/a-b"),
        std::string("tagged/x"), std::string("tab"), std::string("tag"),
        std::string("tag/\xff\xff"), std::string("tag0")}) {
    ASSERT_TRUE(transaction->Put(key, "").has_value());
  }
  Commit(*transaction);
  const std::string all = "tag/a" + nul + "10 tag/a" + nul + "2 tag/a-b tag/b tag/\xff\xff";
  EXPECT_EQ(Keys(store(), {.prefix = "tag/"}), all);
  EXPECT_EQ(Keys(store(), {.prefix = "tag/a" + nul}), "tag/a" + nul + "10 tag/a" + nul + "2");
  EXPECT_EQ(Keys(store(), {.prefix = "tag/\xff"}), "tag/\xff\xff");
  EXPECT_EQ(Keys(store(), {.prefix = "none"}), "");
  EXPECT_EQ(Keys(*store().Snapshot(), {.prefix = "tag/"}), all);
}

TEST_P(MetaStoreContract, ScansContinueAfterAKey) {
  for (const char* key : {"k/a", "k/b", "k/c", "k/d"}) Put(key, "");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .limit = 2}), "k/a k/b");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .after = "k/b", .limit = 2}), "k/c k/d");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .after = "k/bb"}), "k/c k/d");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .after = "a"}), "k/a k/b k/c k/d");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .after = "k/d"}), "");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .after = "z"}), "");
  EXPECT_EQ(Keys(store(), {.prefix = "k/", .limit = 0}), "");
}

TEST_P(MetaStoreContract, ScansEndWithTheRowThatPassesTheBytes) {
  const auto transaction = store().Begin();
  for (const char* key : {"k/a", "k/b", "k/c", "k/d"}) {
    ASSERT_TRUE(transaction->Put(key, std::string(1000, 'v')).has_value());
  }
  const auto look = [](auto& where) {
    EXPECT_EQ(where.Scan({.prefix = "k/", .limit_bytes = 0})->size(), 1u) << "at least one";
    EXPECT_EQ(where.Scan({.prefix = "k/", .limit_bytes = 1002})->size(), 1u);
    EXPECT_EQ(where.Scan({.prefix = "k/", .limit_bytes = 1500})->size(), 2u);
    EXPECT_EQ(where.Scan({.prefix = "k/", .after = "k/b", .limit_bytes = 1500})->size(), 2u);
    EXPECT_EQ(where.Scan({.prefix = "k/", .limit = 1, .limit_bytes = 1500})->size(), 1u);
  };
  look(*transaction);
  ASSERT_TRUE(transaction->Commit().has_value());
  look(store());
}

TEST_P(MetaStoreContract, SnapshotDoesNotChange) {
  Put("a", "1", {"one"});
  const auto snapshot = store().Snapshot();
  Put("a", "2", {"two"});
  Put("b", "2");
  EXPECT_EQ(Get(*snapshot, "a"), "1");
  EXPECT_EQ(Keys(*snapshot, {.prefix = "b"}), "");
  EXPECT_EQ(snapshot->Head()->sequence, 1u);
  EXPECT_THAT(Records(*snapshot), testing::ElementsAre("one"));
  EXPECT_EQ(Get(store(), "a"), "2");
}

TEST_P(MetaStoreContract, RecordsGetDenseNumbersAndAChainOfHashes) {
  EXPECT_EQ(store().Head().value(), LogPosition());
  const LogPosition first = Put("a", "1", {"one"});
  EXPECT_EQ(first, NextPosition(LogPosition(), "one"));
  const LogPosition third = Put("a", "2", {"two", "three"});
  EXPECT_EQ(third, NextPosition(NextPosition(first, "two"), "three"));
  EXPECT_EQ(store().Head().value(), third);
  EXPECT_EQ(Put("b", "1"), third);  // no change of its own: returns the head
  EXPECT_THAT(Records(store()), testing::ElementsAre("one", "two", "three"));
  ExpectSoundLog(store());

  home_->Reopen();
  EXPECT_EQ(store().Head().value(), third);
  Put("c", "1", {""});
  EXPECT_EQ(store().Head()->sequence, 4u);
  ExpectSoundLog(store());
}

TEST_P(MetaStoreContract, RecordsAloneAreACommit) {
  const auto transaction = store().Begin();
  transaction->Append("x");
  EXPECT_EQ(Commit(*transaction, Durability::kBuffered).sequence, 1u);
  EXPECT_THAT(Records(store()), testing::ElementsAre("x"));
}

TEST_P(MetaStoreContract, AnEmptyCommitReturnsTheHead) {
  const LogPosition head = Put("a", "1", {"one"});
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->GetForUpdate("a").has_value());
  EXPECT_EQ(Commit(*transaction), head);
  Put("a", "2");  // the lock is free
}

TEST_P(MetaStoreContract, ReadsTheLogInParts) {
  Put("a", "1", {"1111", "2222", "3333", "4444"});
  EXPECT_THAT(Records(store(), 0), testing::SizeIs(4));
  EXPECT_THAT(Records(store(), 3), testing::ElementsAre("3333", "4444"));
  EXPECT_THAT(Records(store(), 2, 2), testing::ElementsAre("2222", "3333"));
  EXPECT_THAT(Records(store(), 1, 100, 8), testing::ElementsAre("1111", "2222"));
  EXPECT_THAT(Records(store(), 1, 100, 1), testing::ElementsAre("1111"));
  EXPECT_THAT(Records(store(), 5), testing::IsEmpty());
  EXPECT_THAT(Records(store(), 50), testing::IsEmpty());
}

TEST_P(MetaStoreContract, HeadChangedIsNotifiedByRecordsOnly) {
  const uint64_t before = store().HeadChanged().Version();
  Put("a", "1");
  EXPECT_EQ(store().HeadChanged().Version(), before);
  Put("a", "2", {"one"});
  EXPECT_NE(store().HeadChanged().Version(), before);
}

TEST_P(MetaStoreContract, LockedKeysMakeOthersWaitThenGiveUp) {
  for (const char* key : {"present", "absent"}) {
    SCOPED_TRACE(key);
    Put("present", "1");
    auto holder = store().Begin();
    ASSERT_TRUE(holder->GetForUpdate(key).has_value());
    const auto other = store().Begin();
    EXPECT_EQ(other->GetForUpdate(key).error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(other->Put(key, "2").error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_TRUE(other->Get(key).has_value());  // reading needs no lock
    EXPECT_TRUE(other->GetForUpdate("another").has_value());
    holder.reset();
    EXPECT_TRUE(other->GetForUpdate(key).has_value());
  }
}

TEST_P(MetaStoreContract, TheNextHolderOfALockSeesTheCommit) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 25;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < kRounds; ++round) {
          const auto transaction = store().Begin();
          const auto value = transaction->GetForUpdate("counter");
          if (!value.has_value()) {
            ++failures;
            continue;
          }
          const int next = std::stoi(value->value_or("0")) + 1;
          if (!transaction->Put("counter", std::to_string(next)).has_value()) ++failures;
          transaction->Append(std::to_string(next));
          if (!transaction->Commit().has_value()) ++failures;
        }
      });
    }
  }
  ASSERT_EQ(failures, 0);
  EXPECT_EQ(Get(store(), "counter"), std::to_string(kThreads * kRounds));
  const std::vector<std::string> records = Records(store());
  ASSERT_EQ(records.size(), kThreads * kRounds);
  for (size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], std::to_string(i + 1));
}

// I10: log and rows agree, for every prefix of the log.
TEST_P(MetaStoreContract, I10CommitsOfManyThreadsAreNumberedDenselyWithTheirRows) {
  constexpr int kThreads = 16;
  constexpr int kRounds = 40;
  std::vector<std::map<std::string, uint64_t>> acknowledged(kThreads);
  std::atomic<bool> writing = true;
  std::jthread watcher([&] {  // every snapshot is a complete prefix, with its rows
    while (writing) {
      const auto snapshot = store().Snapshot();
      const auto records = snapshot->ReadLog(1, 1'000'000, 1 << 30);
      if (!records.has_value()) continue;
      EXPECT_EQ(records->size(), snapshot->Head()->sequence);
      if (!records->empty()) EXPECT_NE(Get(*snapshot, records->back().record), "(none)");
    }
  });
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          const std::string key = "row/" + std::to_string(i) + "/" + std::to_string(round);
          const auto durability = round % 3 == 0 ? Durability::kBuffered : Durability::kSynced;
          acknowledged[i][key] = Put(key, "x", {key}, durability).sequence;
          EXPECT_GE(store().Head()->sequence, acknowledged[i][key]);
        }
      });
    }
  }
  writing = false;
  watcher.join();
  home_->Reopen();
  ExpectSoundLog(store());
  const auto records = store().ReadLog(1, 1'000'000, 1 << 30);
  ASSERT_TRUE(records.has_value());
  ASSERT_EQ(records->size(), kThreads * kRounds);
  for (const auto& rows : acknowledged) {
    for (const auto& [key, sequence] : rows) {
      EXPECT_EQ((*records)[sequence - 1].record, key);
      EXPECT_EQ(Get(store(), key), "x");
    }
  }
}

}  // namespace outport
