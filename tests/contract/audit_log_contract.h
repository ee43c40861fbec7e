#pragma once

#include "registry/storage/meta_log.h"
#include "tests/contract/meta_store_contract.h"

// The contract of every MetaStore for the audit log. A part of MetaStoreContract, instantiated with
// it.
namespace outport {

class AuditLogContract : public MetaStoreContract {
 protected:
  LogPosition PutAudited(std::string_view key, const std::vector<std::string>& audit,
                         const std::vector<std::string>& records = {},
                         Durability durability = Durability::kSynced) {
    const auto transaction = store().Begin();
    EXPECT_TRUE(transaction->Put(key, "x").has_value());
    for (const std::string& record : records) transaction->Append(record);
    for (const std::string& record : audit) transaction->Audit(record);
    return Commit(*transaction, durability);
  }

  static std::vector<std::string> Audited(const MetaView& view, uint64_t from = 1,
                                          size_t limit = 100'000, size_t bytes = 1 << 30) {
    std::vector<std::string> texts;
    const auto records = view.ReadAudit(from, limit, bytes);
    EXPECT_TRUE(records.has_value()) << records.error().message;
    for (const LogRecord& record : *records) texts.push_back(record.record);
    return texts;
  }

  static void ExpectSoundChain(const MetaView& view) {
    const auto records = view.ReadAudit(1, 1'000'000, 1 << 30);
    ASSERT_TRUE(records.has_value()) << records.error().message;
    LogPosition position;
    for (const LogRecord& record : *records) {
      position = NextPosition(position, record.record);
      ASSERT_EQ(record.position, position);
    }
    EXPECT_EQ(view.AuditHead().value(), position);
  }
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(AuditLogContract);

TEST_P(AuditLogContract, RowsAreNumberedAndChainedApartFromChanges) {
  EXPECT_EQ(store().AuditHead().value(), LogPosition());
  const LogPosition change = PutAudited("a", {"one"}, {"change"});
  EXPECT_EQ(change, NextPosition(LogPosition(), "change"));
  EXPECT_EQ(PutAudited("b", {"two", "three"}), change) << "the change log's head";
  EXPECT_THAT(Audited(store()), testing::ElementsAre("one", "two", "three"));
  EXPECT_THAT(Records(store()), testing::ElementsAre("change"));
  EXPECT_EQ(store().AuditHead()->sequence, 3u);
  ExpectSoundChain(store());
  ExpectSoundLog(store());

  home_->Reopen();
  EXPECT_EQ(store().AuditHead()->sequence, 3u);
  PutAudited("c", {"four"});
  EXPECT_EQ(store().AuditHead()->sequence, 4u);
  ExpectSoundChain(store());
}

TEST_P(AuditLogContract, RowsComeAndGoWithTheirTransaction) {
  {
    const auto transaction = store().Begin();
    ASSERT_TRUE(transaction->Put("a", "1").has_value());
    transaction->Audit("x");
  }
  EXPECT_THAT(Audited(store()), testing::IsEmpty());
  EXPECT_EQ(store().AuditHead()->sequence, 0u);
  const auto alone = store().Begin();
  alone->Audit("y");
  Commit(*alone, Durability::kBuffered);
  EXPECT_THAT(Audited(store()), testing::ElementsAre("y"));
}

TEST_P(AuditLogContract, SnapshotsHaveTheirOwnEnd) {
  PutAudited("a", {"one"});
  const auto snapshot = store().Snapshot();
  PutAudited("a", {"two"});
  EXPECT_EQ(snapshot->AuditHead()->sequence, 1u);
  EXPECT_THAT(Audited(*snapshot), testing::ElementsAre("one"));
  EXPECT_EQ(store().AuditHead()->sequence, 2u);
}

TEST_P(AuditLogContract, TheHeadOfChangesIsNotNotifiedOfRows) {
  const uint64_t before = store().HeadChanged().Version();
  PutAudited("a", {"one"});
  EXPECT_EQ(store().HeadChanged().Version(), before);
}

TEST_P(AuditLogContract, IsReadInPartsAndFromWhereItWasTrimmed) {
  PutAudited("a", {"1111", "2222", "3333", "4444"});
  EXPECT_THAT(Audited(store(), 2, 2), testing::ElementsAre("2222", "3333"));
  EXPECT_THAT(Audited(store(), 1, 100, 8), testing::ElementsAre("1111", "2222"));
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->TrimAudit(1, 2).has_value());
  Commit(*transaction);
  EXPECT_THAT(Audited(store()), testing::ElementsAre("3333", "4444"));
  EXPECT_THAT(Audited(store(), 4), testing::ElementsAre("4444"));
  EXPECT_THAT(Audited(store(), 5), testing::IsEmpty());
  home_->Reopen();
  PutAudited("b", {"5555"});
  EXPECT_EQ(store().ReadAudit(5, 1, 1000)->front().position.sequence, 5u);
}

TEST_P(AuditLogContract, I10CommitsOfManyThreadsAreNumberedDenselyInBothLogs) {
  constexpr int kThreads = 16;
  constexpr int kRounds = 25;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        for (int round = 0; round < kRounds; ++round) {
          const std::string key = "row/" + std::to_string(i) + "/" + std::to_string(round);
          PutAudited(key, {key}, {key},
                     round % 2 == 0 ? Durability::kBuffered : Durability::kSynced);
        }
      });
    }
  }
  home_->Reopen();
  ExpectSoundChain(store());
  const auto audited = Audited(store());
  EXPECT_EQ(audited.size(), kThreads * kRounds);
  EXPECT_EQ(audited, Records(store()));
}

}  // namespace outport
