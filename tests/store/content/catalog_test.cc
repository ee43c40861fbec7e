#include "store/content/catalog.h"

#include "tests/store/content/content_fixture.h"
#include "tests/support/rights.h"

namespace outport::store {
namespace {

using testing::Test;

const auto kAll = [](const RepositoryName&) { return true; };

class CatalogTest : public Test {
 protected:
  // Returns all pages of `limit` items, joined. Every page but the last is full.
  template <class List>
  std::vector<std::string> Walk(size_t limit, List list) {
    std::vector<std::string> items;
    for (PageRequest request{.last = "", .limit = limit};;) {
      const Result<Page> page = list(request);
      EXPECT_TRUE(page.has_value());
      if (!page.has_value()) return items;
      items.insert(items.end(), page->items.begin(), page->items.end());
      if (!page->more) return items;
      EXPECT_EQ(page->items.size(), limit);
      request.last = items.back();
    }
  }
  TestContent store_;
};

TEST_F(CatalogTest, TagsComeInByteOrderPageByPage) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  for (const char* tag : {"v2", "V1", "v10", "latest", "_x"}) {
    ASSERT_TRUE(store_.PushManifest("a", tag, ImageManifest({"config"})).has_value());
  }
  ASSERT_TRUE(store_.PushImage("a/b", "other", {"config"}).has_value());
  const std::vector<std::string> expected = {"V1", "_x", "latest", "v10", "v2"};
  const auto list = [this](const PageRequest& page) {
    return store_.content->catalog.Tags(Repo("a"), page);
  };
  for (const size_t limit : {1, 2, 5, 100}) EXPECT_EQ(Walk(limit, list), expected);
  // `last` need not exist.
  EXPECT_EQ(list({.last = "m", .limit = 100})->items, (std::vector<std::string>{"v10", "v2"}));
  EXPECT_FALSE(list({.last = "zzz", .limit = 100})->more);
  EXPECT_EQ(CodeOf(store_.content->catalog.Tags(Repo("none"), {.last = "", .limit = 10})),
            ErrorCode::kNameUnknown);
}

TEST_F(CatalogTest, ARepositoryWithoutTagsListsNone) {
  ASSERT_TRUE(store_.PushBlob("a", "config").has_value());
  EXPECT_TRUE(store_.content->catalog.Tags(Repo("a"), {.last = "", .limit = 10})->items.empty());
}

TEST_F(CatalogTest, RepositoriesAreThoseThatAreVisible) {
  for (const char* name : {"b", "a", "a/x", "c"}) {
    ASSERT_TRUE(store_.PushBlob(name, "config").has_value());
  }
  const auto list = [this](const PageRequest& page) {
    return store_.content->catalog.Repositories(page, kAll);
  };
  for (const size_t limit : {1, 3, 4, 5}) {
    EXPECT_EQ(Walk(limit, list), (std::vector<std::string>{"a", "a/x", "b", "c"}));
  }
  const auto some = [](const RepositoryName& name) { return name.ToString() != "a/x"; };
  const auto page = store_.content->catalog.Repositories({.last = "a", .limit = 1}, some);
  EXPECT_EQ(page->items, std::vector<std::string>{"b"});
  EXPECT_TRUE(page->more);
}

TEST_F(CatalogTest, AUserListsWhatItsGrantsLetItPull) {
  for (const char* name : {"a", "a/x", "a/x/y", "a0", "b", "c", "c/x", "cc"}) {
    ASSERT_TRUE(store_.PushBlob(name, "config").has_value());
  }
  const Rights rights = RightsWith({"pull:a/*", "pull:c", "pull:none", "push:b"});
  const auto list = [&](const PageRequest& page) {
    return store_.content->catalog.Repositories(page, VisibleTo(rights));
  };
  for (const size_t limit : {1, 2, 3}) {
    EXPECT_EQ(Walk(limit, list), (std::vector<std::string>{"a/x", "c"}));
  }
  EXPECT_EQ(list({.last = "a/x", .limit = 5})->items, std::vector<std::string>{"c"});
  EXPECT_TRUE(list({.last = "c", .limit = 5})->items.empty());
}

}  // namespace
}  // namespace outport::store
