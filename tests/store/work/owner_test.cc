#include "store/work/owner.h"

#include <gtest/gtest.h>

#include <string>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"
#include "tests/support/memory_meta_store.h"
#include "tests/support/split_clock.h"

namespace outport::store {
namespace {

using Access = Owner::Access;
using std::chrono::hours;
using std::chrono::seconds;

class OwnerTest : public testing::Test {
 protected:
  void Renew(Owner& owner) { ASSERT_TRUE(owner.Renew().has_value()); }
  bool IsDead(const Owner& reader, const std::string& id) { return reader.IsDead(id).value(); }
  size_t Rows() { return meta_.Scan({.prefix = std::string(keys::kOwners), .after = {}})->size(); }

  SplitClock clock_;
  StoreClock store_clock_{clock_, "boot"};
  MemoryMetaStore meta_;
  Owner shared_{meta_, store_clock_, Access::kShared};
  Owner other_{meta_, store_clock_, Access::kShared};
  Owner exclusive_{meta_, store_clock_, Access::kExclusive};
  Owner successor_{meta_, store_clock_, Access::kExclusive};
};

TEST_F(OwnerTest, EachProcessHasItsOwnId) {
  EXPECT_FALSE(shared_.id().empty());
  EXPECT_NE(shared_.id(), other_.id());
}

TEST_F(OwnerTest, LivesUntilItsLeaseExpires) {
  Renew(shared_);
  EXPECT_FALSE(IsDead(other_, shared_.id()));
  clock_.Pass(seconds(29));
  EXPECT_FALSE(IsDead(other_, shared_.id()));
  clock_.Pass(seconds(1));
  EXPECT_TRUE(IsDead(other_, shared_.id()));
  Renew(shared_);
  EXPECT_FALSE(IsDead(other_, shared_.id()));
}

TEST_F(OwnerTest, IsAliveForItself) {
  EXPECT_FALSE(IsDead(shared_, shared_.id()));
  Renew(shared_);
  clock_.Pass(hours(1));
  EXPECT_FALSE(IsDead(shared_, shared_.id()));
}

TEST_F(OwnerTest, NobodyAndUnknownOwnersAreDead) {
  EXPECT_TRUE(IsDead(shared_, ""));
  EXPECT_TRUE(IsDead(shared_, "nobody"));
}

TEST_F(OwnerTest, ReleaseEndsIt) {
  Renew(shared_);
  ASSERT_TRUE(shared_.Release().has_value());
  EXPECT_TRUE(IsDead(other_, shared_.id()));
  EXPECT_EQ(Rows(), 0u);
}

// The lock of the data folder proves that the predecessor has ended.
TEST_F(OwnerTest, AnExclusiveOwnerKnowsThatItsPredecessorIsDead) {
  Renew(exclusive_);
  EXPECT_TRUE(IsDead(successor_, exclusive_.id()));
  EXPECT_FALSE(IsDead(shared_, exclusive_.id()));
  Renew(shared_);
  EXPECT_FALSE(IsDead(successor_, shared_.id()));
}

TEST_F(OwnerTest, KnowsWhetherAnotherOwnerLives) {
  EXPECT_TRUE(exclusive_.IsAlone().value());
  Renew(exclusive_);
  EXPECT_TRUE(exclusive_.IsAlone().value());
  EXPECT_TRUE(successor_.IsAlone().value());
  EXPECT_FALSE(shared_.IsAlone().value());
  Renew(shared_);
  EXPECT_FALSE(exclusive_.IsAlone().value());
  clock_.Pass(seconds(30));
  EXPECT_TRUE(exclusive_.IsAlone().value());
}

TEST_F(OwnerTest, RowsThatExpiredLongAgoAreDeleted) {
  Renew(shared_);
  Renew(other_);
  clock_.Pass(hours(24) + seconds(29));
  EXPECT_EQ(exclusive_.DeleteExpired().value(), 0u);
  clock_.Pass(seconds(1));
  Renew(exclusive_);
  EXPECT_EQ(other_.DeleteExpired().value(), 1u);  // never its own
  EXPECT_EQ(Rows(), 2u);
  EXPECT_EQ(exclusive_.DeleteExpired().value(), 1u);
  EXPECT_EQ(Rows(), 1u);
}

}  // namespace
}  // namespace outport::store
