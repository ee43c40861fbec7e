#include "store/retention/list_part.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RetentionPagesTest : public RetentionTest {
 protected:
  RetentionPagesTest() {
    Apply(kLastOne);
    Push("ci/a", {"1", "2"});
    Push("ci/b", {"1", "2", "3"});
    first_.set_limit(2);
  }

  static v1::GetRetentionPlanRequest After(const v1::RetentionPlan& page) {
    v1::GetRetentionPlanRequest request;
    request.set_limit(2);
    request.set_plan(page.plan());
    request.set_after(page.next());
    return request;
  }
  static std::vector<std::string> Places(const v1::RetentionPlan& page) {
    std::vector<std::string> places;
    for (const v1::RetentionItem& item : page.items()) places.push_back(PlaceOf(item));
    return places;
  }

  v1::GetRetentionPlanRequest first_;
};

TEST_F(RetentionPagesTest, EveryPageHasTheBytesOfItsItems) {
  const v1::RetentionPlan first = Plan(first_);
  uint64_t sum = 0;
  v1::RetentionPlan page = first;
  for (;;) {
    for (const v1::RetentionItem& item : page.items()) {
      EXPECT_EQ(item.freed_bytes() > 0, !item.keep()) << PlaceOf(item);
      sum += item.freed_bytes();
    }
    if (page.next().empty()) break;
    page = Plan(After(page));
    EXPECT_EQ(page.plan(), first.plan());
  }
  EXPECT_EQ(sum, first.freed_bytes());
}

TEST_F(RetentionPagesTest, LaterPagesAreOfTheSamePlan) {
  const v1::RetentionPlan first = Plan(first_);
  Push("ci/b", {"0", "4"});
  const v1::RetentionPlan second = Plan(After(first));
  EXPECT_THAT(Places(second), ElementsAre("ci/b:1", "ci/b:2"));
  const v1::RetentionPlan third = Plan(After(second));
  EXPECT_THAT(Texts(third), ElementsAre("keep ci/b:3 by ci: entry 1: last_pushed 1"));
  EXPECT_EQ(third.next(), "");
}

// The store restarts between two pages.
TEST_F(RetentionPagesTest, AForgottenPlanIsMadeAgainIfItHolds) {
  const v1::RetentionPlan first = Plan(first_);
  const v1::RetentionPlan second = Plan(After(first));
  Retention restarted(MakeParts());
  const auto again = restarted.GetPlan(After(first));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->SerializeAsString(), second.SerializeAsString());
  Push("ci/b", {"4"});
  Retention changed(MakeParts());
  const auto refused = changed.GetPlan(After(first));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("no longer holds"));
}

// The store remembers one part of a list. The other list is another part.
TEST_F(RetentionPagesTest, AnotherPartIsOfTheSamePlanOrRefused) {
  const v1::RetentionPlan first = Plan(first_);
  v1::GetRetentionPlanRequest drops = After(first);
  drops.set_only_drops(true);
  Push("other", {"1"});
  EXPECT_THAT(Places(Plan(drops)), ElementsAre("ci/b:1", "ci/b:2"));
  EXPECT_THAT(Places(Plan(After(first))), ElementsAre("ci/b:1", "ci/b:2"));
  Push("ci/b", {"4"});  // so that ci/b:3 goes, too
  EXPECT_THAT(Places(Plan(After(first))), ElementsAre("ci/b:1", "ci/b:2")) << "as remembered";
  const auto refused = retention_.GetPlan(drops);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("no longer holds"));
}

TEST_F(RetentionPagesTest, TheListsWithAndWithoutWhatStaysAreNotMixed) {
  const v1::RetentionPlan first = Plan(first_);
  v1::GetRetentionPlanRequest drops = After(first);
  drops.set_only_drops(true);
  drops.set_limit(10);
  EXPECT_THAT(Places(Plan(drops)), ElementsAre("ci/b:1", "ci/b:2"));
  EXPECT_THAT(Places(Plan(After(first))), ElementsAre("ci/b:1", "ci/b:2"));
  drops.clear_after();
  EXPECT_THAT(Places(Plan(drops)), ElementsAre("ci/a:1", "ci/b:1", "ci/b:2"));
}

RetentionPlanner::Page PageOf(const std::vector<std::string>& repositories, std::string next) {
  RetentionPlanner::Page page;
  for (const std::string& repository : repositories) {
    v1::RetentionItem& item = page.items.emplace_back();
    item.set_repository(repository);
    item.set_tag("v1");
  }
  page.next = std::move(next);
  return page;
}

TEST(ListPartTest, EndsWhereItsItemsEnd) {
  // In the order of the repositories: as texts, "a-b:v1" is less than "a:v1".
  const ListPart part("0:v1", false, PageOf({"a", "a-b", "c"}, "c:v1"));
  EXPECT_FALSE(part.Covers(""));
  EXPECT_TRUE(part.Covers("0:v1"));
  EXPECT_TRUE(part.Covers("a-b:v1"));
  EXPECT_FALSE(part.Covers("c:v1"));
  const RetentionPlanner::Page first = part.PageAfter("0:v1", 2);
  EXPECT_EQ(first.items.size(), 2u);
  EXPECT_EQ(first.next, "a-b:v1");
  const RetentionPlanner::Page last = part.PageAfter("a-b:v1", 2);
  ASSERT_EQ(last.items.size(), 1u);
  EXPECT_EQ(last.items[0].repository(), "c");
  EXPECT_EQ(last.next, "c:v1");
  const ListPart end("c:v1", false, PageOf({"d"}, ""));
  EXPECT_TRUE(end.Covers("d:v1"));
  EXPECT_THAT(end.PageAfter("d:v1", 2).items, IsEmpty());
}

TEST(ListedPlanTest, CountsItsItemsAndTheNumbersOfBytes) {
  const auto freed = std::make_shared<const FreedByItem>(FreedByItem{{"a:v1", 1}, {"z:v1", 1}});
  const ListedPlan plan("name", freed, ListPart("", true, PageOf({"a", "b", "c"}, "c:v1")));
  EXPECT_EQ(plan.size(), 5u);
  EXPECT_TRUE(plan.Covers(true, "b:v1"));
  EXPECT_FALSE(plan.Covers(true, "c:v1"));
  EXPECT_FALSE(plan.Covers(false, "b:v1"));
}

}  // namespace
}  // namespace outport::store
