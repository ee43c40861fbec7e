#include "registry/service/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/rights.h"

namespace outport {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Scans names in order, and counts those that were read.
class Names {
 public:
  explicit Names(std::set<std::string> names) : names_(std::move(names)) {}

  Page List(const Visible& visible, const PageRequest& page, size_t most_read = SIZE_MAX) {
    const NameScan scan = [this](const std::string& prefix, const std::string& after,
                                 size_t limit) -> Result<std::vector<std::string>> {
      std::vector<std::string> found;
      auto at = after.empty() ? names_.lower_bound(prefix) : names_.upper_bound(after);
      for (; at != names_.end() && at->starts_with(prefix) && found.size() < limit; ++at) {
        found.push_back(*at);
      }
      read += found.size();
      return found;
    };
    return *ListVisible(visible, page, scan, most_read);
  }
  // Returns all pages of `limit` names, joined.
  std::vector<std::string> Walk(const Visible& visible, size_t limit) {
    std::vector<std::string> all;
    for (PageRequest request{.last = "", .limit = limit};;) {
      const Page page = List(visible, request);
      all.insert(all.end(), page.items.begin(), page.items.end());
      if (!page.more) return all;
      EXPECT_EQ(page.items.size(), limit);
      request.last = all.back();
    }
  }
  size_t read = 0;

 private:
  const std::set<std::string> names_;
};

TEST(ListVisible, ReturnsEveryPageForAnyPageSize) {
  Names names({"a", "a/x", "b", "b/x", "b/x/y", "b0", "c", "team", "team/app", "team/app2"});
  const Visible visible = VisibleTo(RightsWith({"pull:team/app", "pull:b/*", "pull:a"}));
  for (const size_t limit : {1, 2, 3, 100}) {
    EXPECT_THAT(names.Walk(visible, limit), ElementsAre("a", "b/x", "team/app"));
  }
  const Visible all = [](const RepositoryName&) { return true; };
  for (const size_t limit : {1, 3, 100}) EXPECT_EQ(names.Walk(all, limit).size(), 10u);
}

TEST(ListVisible, ContinuesAfterAnyName) {
  Names names({"a", "b", "b/x", "b/y", "c"});
  const Visible visible = VisibleTo(RightsWith({"pull:a", "pull:b/**", "pull:c"}));
  const auto after = [&](const std::string& last) {
    return names.List(visible, {.last = last, .limit = 100}).items;
  };
  EXPECT_THAT(after("a"), ElementsAre("b/x", "b/y", "c"));
  EXPECT_THAT(after("b"), ElementsAre("b/x", "b/y", "c"));
  EXPECT_THAT(after("b/x"), ElementsAre("b/y", "c"));
  EXPECT_THAT(after("b/zzz"), ElementsAre("c"));
  EXPECT_THAT(after("b0"), ElementsAre("c"));
  EXPECT_THAT(after("c"), IsEmpty());
  EXPECT_THAT(after("zz"), IsEmpty());
}

// No page of a user with few grants reads the repositories of other users.
TEST(ListVisible, ReadsOnlyTheRangesOfTheGrants) {
  std::set<std::string> many;
  for (int i = 0; i < 20000; ++i) many.insert("m" + std::to_string(i));
  for (const char* name : {"a/one", "n/two", "z/three"}) many.insert(name);
  Names names(many);
  const Visible visible =
      VisibleTo(RightsWith({"pull:a/**", "pull:n/two", "pull:z/**", "pull:zz"}));
  EXPECT_THAT(names.Walk(visible, 1), ElementsAre("a/one", "n/two", "z/three"));
  EXPECT_LT(names.read, 20u);
}

TEST(ListVisible, StopsAfterTheMostReads) {
  std::set<std::string> many;
  for (int i = 0; i < 20000; ++i) many.insert("m" + std::to_string(i));
  Names names(many);
  const Visible none = [](const RepositoryName&) { return false; };
  EXPECT_THAT(names.List(none, {.last = "", .limit = 1}, 1000).items, IsEmpty());
  EXPECT_EQ(names.read, 1000u);
}

ReferrerInfo Referrer(int number, const std::string& type, size_t annotation_bytes = 0) {
  const std::string text = std::to_string(number);
  ReferrerInfo info{.digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(text)),
                    .media_type = std::string(media_type::kOciManifest),
                    .size_bytes = 1,
                    .artifact_type = type,
                    .annotations = {}};
  if (annotation_bytes > 0) info.annotations["a"] = std::string(annotation_bytes, 'x');
  return info;
}

// Scans referrers in order, three at a time.
class Referrers {
 public:
  explicit Referrers(const std::vector<ReferrerInfo>& all) {
    for (const ReferrerInfo& info : all) all_.insert_or_assign(info.digest.ToString(), info);
  }
  ReferrersPage List(const std::string& type, const PageRequest& page) {
    const ReferrerScan scan =
        [this](const std::string& after) -> Result<std::vector<ReferrerInfo>> {
      std::vector<ReferrerInfo> found;
      for (auto at = all_.upper_bound(after); at != all_.end() && found.size() < 3; ++at) {
        found.push_back(at->second);
      }
      read += found.size();
      return found;
    };
    return *PageOfReferrers(type, page, scan);
  }
  // Returns the number of items of every page.
  std::vector<size_t> Walk(const std::string& type, size_t limit) {
    std::vector<size_t> sizes;
    std::set<std::string> seen;
    for (PageRequest request{.last = "", .limit = limit};;) {
      const ReferrersPage page = List(type, request);
      sizes.push_back(page.items.size());
      for (const ReferrerInfo& info : page.items) {
        EXPECT_TRUE(seen.insert(info.digest.ToString()).second) << "listed twice";
      }
      if (page.next.empty()) return sizes;
      EXPECT_GT(page.next, request.last);
      request.last = page.next;
    }
  }
  size_t read = 0;

 private:
  std::map<std::string, ReferrerInfo> all_;
};

TEST(PageOfReferrers, HasAtMostTheRequestedNumber) {
  std::vector<ReferrerInfo> all;
  for (int i = 0; i < 10; ++i) all.push_back(Referrer(i, i % 2 == 0 ? "even" : "odd"));
  Referrers referrers(all);
  EXPECT_THAT(referrers.Walk("", 4), ElementsAre(4, 4, 2));
  EXPECT_THAT(referrers.Walk("", 5), ElementsAre(5, 5)) << "no empty page at the end";
  EXPECT_THAT(referrers.Walk("even", 3), ElementsAre(3, 2));
  EXPECT_THAT(referrers.Walk("even", 5), ElementsAre(5));
  EXPECT_THAT(referrers.Walk("none", 5), ElementsAre(0));
}

TEST(PageOfReferrers, FitsAManifest) {
  std::vector<ReferrerInfo> all;
  for (int i = 0; i < 5; ++i) all.push_back(Referrer(i, "t", 1500 * 1000));
  EXPECT_THAT(Referrers(all).Walk("", 1000), ElementsAre(2, 2, 1));
  // In JSON they are twice as large.
  for (ReferrerInfo& info : all) info.annotations["a"] = std::string(1500 * 1000, '"');
  EXPECT_THAT(Referrers(all).Walk("", 1000), ElementsAre(1, 1, 1, 1, 1));
  // A single referrer that is too large is still listed.
  for (ReferrerInfo& info : all) info.annotations["a"] = std::string(5000 * 1000, 'x');
  EXPECT_THAT(Referrers(all).Walk("", 1000), ElementsAre(1, 1, 1, 1, 1));
}

TEST(PageOfReferrers, ARareTypeDoesNotMakeAPageReadEverything) {
  std::vector<ReferrerInfo> all;
  for (int i = 0; i < 20000; ++i) all.push_back(Referrer(i, i == 7 ? "rare" : "common"));
  Referrers referrers(all);
  const ReferrersPage page = referrers.List("none", {.last = "", .limit = 10});
  EXPECT_THAT(page.items, IsEmpty());
  EXPECT_FALSE(page.next.empty());
  EXPECT_LT(referrers.read, 5000u);
  const std::vector<size_t> sizes = referrers.Walk("rare", 10);
  EXPECT_EQ(std::count(sizes.begin(), sizes.end(), 1u), 1);
  EXPECT_LT(sizes.size(), 10u);
}

}  // namespace
}  // namespace outport
