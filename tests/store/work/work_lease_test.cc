#include "store/work/work_lease.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/log.h"
#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/work/owner.h"
#include "tests/support/split_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {
namespace {

using std::chrono::seconds;

class WorkLeaseTest : public testing::Test {
 protected:
  std::unique_ptr<WorkLease> Lease(const std::string& owner, const std::string& name = "gc") {
    return std::make_unique<WorkLease>(*meta_, store_clock_, name, owner);
  }
  static bool Acquires(WorkLease& lease) {
    const Result<bool> acquired = lease.Acquire();
    EXPECT_TRUE(acquired.has_value()) << acquired.error().message;
    return acquired.value_or(false);
  }
  v1::LeaseRow Row() {
    return ReadRow<v1::LeaseRow>(*meta_, keys::Lease("gc")).value().value_or(v1::LeaseRow());
  }
  // Writes a row under the lease.
  Result<void> Work(const WorkLease& lease) {
    TRY_VOID(Transact(*meta_, [&](MetaTransaction& transaction) -> Result<void> {
      TRY_VOID(transaction.Put("done", "yes"));
      return lease.Check(transaction);
    }));
    return {};
  }
  bool IsDone() { return HasRow(*meta_, "done").value(); }

  const TemporaryFolder folder_;
  std::unique_ptr<MetaStore> meta_ =
      OpenRocksMetaStore({.folder = folder_.path() / "meta"}, Log::Nowhere()).value();
  SplitClock clock_;
  StoreClock store_clock_{clock_, "boot"};
  std::unique_ptr<WorkLease> a_ = Lease("a");
  std::unique_ptr<WorkLease> b_ = Lease("b");
};

TEST_F(WorkLeaseTest, OneHolderAtATime) {
  EXPECT_TRUE(Acquires(*a_));
  EXPECT_FALSE(Acquires(*b_));
  EXPECT_TRUE(Acquires(*a_));
  EXPECT_EQ(Row().owner(), "a");
  EXPECT_TRUE(Work(*a_).has_value());
  EXPECT_TRUE(IsDone());
}

TEST_F(WorkLeaseTest, EachNameIsALeaseOfItsOwn) {
  EXPECT_TRUE(Acquires(*a_));
  EXPECT_TRUE(Acquires(*Lease("b", "retention")));
}

TEST_F(WorkLeaseTest, IsRenewedWhenHalfOfItHasPassed) {
  ASSERT_TRUE(Acquires(*a_));
  const int64_t until = Row().until_ms();
  clock_.Pass(seconds(14));
  ASSERT_TRUE(Acquires(*a_));
  EXPECT_EQ(Row().until_ms(), until);
  clock_.Pass(seconds(2));
  ASSERT_TRUE(Acquires(*a_));
  EXPECT_EQ(Row().until_ms(), until + 16'000);
  EXPECT_EQ(Row().fence(), 1u);
  clock_.Pass(seconds(20));
  EXPECT_FALSE(Acquires(*b_));
  EXPECT_TRUE(Work(*a_).has_value());
}

TEST_F(WorkLeaseTest, AnExpiredLeaseGoesToTheNextHolderWithAGreaterFence) {
  ASSERT_TRUE(Acquires(*a_));
  EXPECT_EQ(Row().fence(), 1u);
  clock_.Pass(seconds(30));
  EXPECT_TRUE(Acquires(*b_));
  EXPECT_EQ(Row().fence(), 2u);
  EXPECT_EQ(Row().owner(), "b");
  EXPECT_FALSE(Acquires(*a_));
}

TEST_F(WorkLeaseTest, TheLeaseOfAProcessThatHasEndedIsFree) {
  Owner first(*meta_, store_clock_, Owner::Access::kShared);
  Owner second(*meta_, store_clock_, Owner::Access::kShared);
  ASSERT_TRUE(first.Renew().has_value());
  ASSERT_TRUE(second.Renew().has_value());
  WorkLease its(*meta_, store_clock_, "gc", first);
  WorkLease next(*meta_, store_clock_, "gc", second);
  ASSERT_TRUE(Acquires(its));
  EXPECT_EQ(Row().owner(), first.id());
  EXPECT_FALSE(Acquires(next));
  ASSERT_TRUE(first.Release().has_value());
  EXPECT_FALSE(Acquires(*b_)) << "without an Owner, only the time ends a lease";
  EXPECT_TRUE(Acquires(next));
  EXPECT_EQ(next.fence(), 2u);
  EXPECT_FALSE(Work(its).has_value());
}

TEST_F(WorkLeaseTest, AReleasedLeaseIsFreeAndItsFenceIsNotUsedAgain) {
  ASSERT_TRUE(Acquires(*a_));
  ASSERT_TRUE(a_->Release().has_value());
  EXPECT_FALSE(Work(*a_).has_value());
  EXPECT_TRUE(Acquires(*b_));
  EXPECT_EQ(Row().fence(), 2u);
  EXPECT_TRUE(a_->Release().has_value());  // the lease of another holder stays
  EXPECT_TRUE(Work(*b_).has_value());
  ASSERT_TRUE(b_->Release().has_value());
  EXPECT_TRUE(Acquires(*b_));
  EXPECT_EQ(Row().fence(), 3u);
}

// A restarted process does not continue with the lease of its predecessor.
TEST_F(WorkLeaseTest, AnotherObjectOfTheSameOwnerIsAnotherHolder) {
  ASSERT_TRUE(Acquires(*a_));
  const auto again = Lease("a");
  EXPECT_FALSE(Acquires(*again));
  EXPECT_FALSE(Work(*again).has_value());
  clock_.Pass(seconds(30));
  EXPECT_TRUE(Acquires(*again));
  EXPECT_EQ(Row().fence(), 2u);
  EXPECT_FALSE(Work(*a_).has_value());
}

TEST_F(WorkLeaseTest, WithoutALeaseNothingIsCommitted) {
  const Result<void> worked = Work(*a_);
  ASSERT_FALSE(worked.has_value());
  EXPECT_EQ(worked.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(worked.error().message.contains("'gc'")) << worked.error().message;
  EXPECT_FALSE(IsDone());
}

TEST_F(WorkLeaseTest, AfterItHasExpiredNothingIsCommitted) {
  ASSERT_TRUE(Acquires(*a_));
  clock_.Pass(seconds(30));
  EXPECT_FALSE(Work(*a_).has_value());
  EXPECT_FALSE(IsDone());
  ASSERT_TRUE(Acquires(*a_));  // nobody else had it meanwhile
  EXPECT_TRUE(Work(*a_).has_value());
}

TEST_F(WorkLeaseTest, TheTransactionOfASlowHolderFails) {
  ASSERT_TRUE(Acquires(*a_));
  const auto slow = meta_->Begin();
  ASSERT_TRUE(slow->Put("done", "by a").has_value());
  clock_.Pass(seconds(31));
  ASSERT_TRUE(Acquires(*b_));
  const Result<void> checked = a_->Check(*slow);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(checked.error().message.contains("process b")) << checked.error().message;
}

TEST_F(WorkLeaseTest, ACheckedTransactionEndsBeforeTheNextHolderBegins) {
  ASSERT_TRUE(Acquires(*a_));
  const auto last = meta_->Begin();
  ASSERT_TRUE(last->Put("done", "by a").has_value());
  ASSERT_TRUE(a_->Check(*last).has_value());
  clock_.Pass(seconds(31));
  std::future<bool> seen =
      std::async(std::launch::async, [&] { return Acquires(*b_) && IsDone(); });
  EXPECT_EQ(seen.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
  ASSERT_TRUE(last->Commit().has_value());
  EXPECT_TRUE(seen.get());
}

TEST_F(WorkLeaseTest, OneOfManyThreadsAcquiresIt) {
  for (int round = 1; round <= 10; ++round) {
    std::atomic<int> holders = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] { holders += Acquires(*Lease("x")) ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(holders, 1);
    EXPECT_EQ(Row().fence(), static_cast<uint64_t>(round));
    clock_.Pass(seconds(30));
  }
}

TEST_F(WorkLeaseTest, ThreadsShareOneObject) {
  std::atomic<int> acquired = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { acquired += Acquires(*a_) ? 1 : 0; });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(acquired, 4);
  EXPECT_EQ(Row().fence(), 1u);
}

}  // namespace
}  // namespace outport::store
