#pragma once

#include "registry/storage/meta_log.h"
#include "tests/contract/meta_store_contract.h"

// The part of MetaStoreContract about a change log whose oldest records are trimmed.
namespace outport {

TEST_P(MetaStoreContract, ATrimmedLogBeginsWithItsOldestRecord) {
  Put("a", "1", {"1111", "2222", "3333", "4444"});
  const LogPosition head = *store().Head();
  auto before = store().Snapshot();
  const auto transaction = store().Begin();
  ASSERT_TRUE(transaction->Put("trimmed", "2").has_value());
  ASSERT_TRUE(transaction->TrimChanges(1, 2).has_value());
  EXPECT_THAT(Records(store()), testing::SizeIs(4)) << "not yet committed";
  EXPECT_EQ(Commit(*transaction, Durability::kBuffered), head) << "a trim is no change";
  const auto look = [&](const std::string& when) {
    SCOPED_TRACE(when);
    EXPECT_EQ(Get(store(), "trimmed"), "2");
    EXPECT_EQ(*store().Head(), head);
    EXPECT_THAT(Records(store(), 0), testing::ElementsAre("3333", "4444"));
    EXPECT_THAT(Records(store(), 2, 1), testing::ElementsAre("3333"));
    EXPECT_THAT(Records(store(), 1, 100, 1), testing::ElementsAre("3333"));
    EXPECT_THAT(Records(store(), 4), testing::ElementsAre("4444"));
    EXPECT_THAT(Records(store(), 5), testing::IsEmpty());
    EXPECT_EQ(store().ReadLog(1, 1, 1)->front().position.sequence, 3u);
  };
  look("at once");
  EXPECT_THAT(Records(*before), testing::SizeIs(4)) << "a view does not change";
  before.reset();
  home_->Reopen();
  look("after a restart");
}

TEST_P(MetaStoreContract, ATrimmedLogGoesOn) {
  LogPosition head = Put("a", "1", {"1111", "2222"});
  for (uint64_t trimmed = 1; trimmed <= 3; ++trimmed) {  // each time, one record remains
    const auto transaction = store().Begin();
    ASSERT_TRUE(transaction->TrimChanges(trimmed, trimmed).has_value());
    Commit(*transaction);
    home_->Reopen();
    const LogPosition next = Put("b", "1", {"next"});
    EXPECT_EQ(next, NextPosition(head, "next")) << "number and hash go on";
    head = next;
  }
  EXPECT_THAT(Records(store()), testing::ElementsAre("next", "next"));
}

TEST_P(MetaStoreContract, ATrimThatIsNotCommittedDeletesNothing) {
  Put("a", "1", {"1111", "2222"});
  {
    const auto transaction = store().Begin();
    ASSERT_TRUE(transaction->TrimChanges(1, 1).has_value());
  }
  EXPECT_THAT(Records(store()), testing::ElementsAre("1111", "2222"));
}

}  // namespace outport
