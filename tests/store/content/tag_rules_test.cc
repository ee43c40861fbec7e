#include "store/content/tag_rules.h"

#include <gmock/gmock.h>

#include "registry/records/rows.h"
#include "store/content/tag_history.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

using testing::HasSubstr;

class TagRulesTest : public testing::Test {
 protected:
  TagRulesTest() {
    EXPECT_TRUE(store_.PushImage("team/app", "v1.2", {"one"}).has_value());
    EXPECT_TRUE(store_.PushBlob("team/app", "two").has_value());
  }
  Result<void> Set(const std::string& name, const std::string& repositories,
                   const std::string& tags) {
    v1::TagRuleRow rule;
    rule.set_name(name);
    rule.set_repositories(repositories);
    rule.set_tags(tags);
    TRY_VOID(Rules().Set(rule, 1000, Actor::Administrator("admin")));
    return {};
  }
  Result<void> Remove(const std::string& name) {
    return Rules().Remove(name, Actor::Administrator("admin"));
  }
  TagRules Rules() { return {*store_.meta, store_.clock, Log::Nowhere()}; }
  Result<PushedManifest> Move(const std::string& tag, const std::string& content = "two") {
    return store_.PushManifest("team/app", tag, ImageManifest({content}));
  }

  TestContent store_;
  const std::string digest_ = Sha256(ImageManifest({"one"})).ToString();
};

TEST_F(TagRulesTest, AProtectedTagDoesNotMove) {
  ASSERT_TRUE(Set("releases", "team/**", "v*").has_value());
  const uint64_t head = store_.Head();
  const auto moved = Move("v1.2");
  ASSERT_EQ(CodeOf(moved), ErrorCode::kDenied);
  EXPECT_THAT(moved.error().message,
              HasSubstr("tag v1.2 of team/app is protected by the rule 'releases' (repositories "
                        "team/**, tags v*)"));
  EXPECT_EQ(store_.Head(), head);
  EXPECT_EQ(store_.PullManifest("team/app", "v1.2")->info.digest.ToString(), digest_);
  EXPECT_EQ(TagHistory(*store_.meta).Of(Repo("team/app"), *Tag::Parse("v1.2"))->size(), 1U);
}

TEST_F(TagRulesTest, AProtectedTagIsNotDeleted) {
  ASSERT_TRUE(Set("releases", "team/app", "v1.*").has_value());
  ASSERT_TRUE(Move("other", "one").has_value());
  const uint64_t head = store_.Head();
  EXPECT_EQ(CodeOf(store_.DeleteManifest("team/app", "v1.2")), ErrorCode::kDenied);
  const auto by_digest = store_.DeleteManifest("team/app", digest_);
  ASSERT_EQ(CodeOf(by_digest), ErrorCode::kDenied);
  EXPECT_THAT(by_digest.error().message, HasSubstr("'releases'"));
  EXPECT_EQ(store_.Head(), head);
  EXPECT_TRUE(store_.PullManifest("team/app", "other").has_value());
  ASSERT_TRUE(store_.DeleteManifest("team/app", "other").has_value()) << "no rule protects it";
}

TEST_F(TagRulesTest, APartOfAProtectedImageIsNotDeleted) {
  const std::string child = ImageManifest({"two"});
  const std::string inner = IndexManifest({child});
  const std::string outer = IndexManifest({inner});
  ASSERT_TRUE(store_.PushTagged("team/app", child, {}).has_value());
  ASSERT_TRUE(store_.PushTagged("team/app", inner, {}).has_value());
  ASSERT_TRUE(store_.PushManifest("team/app", "v2", outer).has_value());
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  const auto deleted = store_.DeleteManifest("team/app", Sha256(child).ToString());
  ASSERT_EQ(CodeOf(deleted), ErrorCode::kDenied);
  EXPECT_THAT(deleted.error().message, HasSubstr("manifest " + Sha256(child).ToString() +
                                                 " is part of a protected image: tag v2"));
  ASSERT_TRUE(Remove("releases").has_value());
  EXPECT_TRUE(store_.DeleteManifest("team/app", Sha256(child).ToString()).has_value());
}

TEST_F(TagRulesTest, WhatDoesNotChangeTheTagIsAllowed) {
  ASSERT_TRUE(Set("all", "**", "*").has_value());
  EXPECT_TRUE(Move("v1.2", "one").has_value()) << "the same digest";
  EXPECT_TRUE(Move("v1.3").has_value()) << "a new tag";
  EXPECT_EQ(CodeOf(Move("v1.3", "one")), ErrorCode::kDenied);
  ASSERT_TRUE(store_.PushTagged("team/app", ImageManifest({"two"}), {}).has_value());
}

TEST_F(TagRulesTest, AProtectedTagKeepsItsMediaType) {
  std::string body = ImageManifest({"one"});
  const std::string own =
      R"("mediaType":")" + std::string(media_type::kOciManifest) + R"(","config")";
  const size_t at = body.find(own);
  ASSERT_NE(at, std::string::npos);
  body.replace(at, own.size(), R"("config")");
  const auto push = [&](std::string_view type) {
    return store_.content->manifests.Put(Repo("team/app"), Ref("v2"), std::string(type), {}, body,
                                         kAnn);
  };
  ASSERT_TRUE(push(media_type::kOciManifest).has_value());
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  EXPECT_TRUE(push(media_type::kOciManifest).has_value()) << "the same row";
  EXPECT_EQ(CodeOf(push(media_type::kDockerManifest)), ErrorCode::kDenied);
  EXPECT_EQ(store_.PullManifest("team/app", "v2")->info.media_type, media_type::kOciManifest);
  ASSERT_TRUE(Remove("releases").has_value());
  EXPECT_TRUE(push(media_type::kDockerManifest).has_value());
}

TEST_F(TagRulesTest, AManifestOfTooManyIndexesIsNotDeleted) {
  const RepositoryName repository = Repo("team/app");
  const Digest child = Sha256(ImageManifest({"one"}));
  ASSERT_TRUE(store_.DeleteManifest("team/app", "v1.2").has_value());
  const auto list = [&](int from, int to) {
    return Transact(*store_.meta, [&](MetaTransaction& transaction) -> Result<void> {
      for (int i = from; i < to; ++i) {
        const Digest index = Sha256("index " + std::to_string(i));
        TRY_VOID(transaction.Put(keys::ReferenceOf(child, repository, index), {}));
        TRY_VOID(WriteRow(transaction, keys::ManifestOf(repository, index), v1::ManifestRow()));
      }
      return {};
    });
  };
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  ASSERT_TRUE(list(0, 1001).has_value());
  const auto deleted = store_.DeleteManifest("team/app", digest_);
  ASSERT_EQ(CodeOf(deleted), ErrorCode::kDenied);
  EXPECT_THAT(deleted.error().message, HasSubstr("part of more than 1000 indexes of team/app"));
  EXPECT_TRUE(store_.PullManifest("team/app", digest_).has_value());
  ASSERT_TRUE(Remove("releases").has_value());
  EXPECT_TRUE(store_.DeleteManifest("team/app", digest_).has_value()) << "nothing is protected";
}

TEST_F(TagRulesTest, APushThatMovesOneProtectedTagMovesNone) {
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  ASSERT_TRUE(Move("latest", "one").has_value());
  EXPECT_EQ(CodeOf(store_.PushTagged("team/app", ImageManifest({"two"}), {"latest", "v1.2"})),
            ErrorCode::kDenied);
  EXPECT_EQ(store_.PullManifest("team/app", "latest")->info.digest.ToString(), digest_);
}

TEST_F(TagRulesTest, ADeniedDeletionOfThousandsOfTagsDeletesNone) {
  std::vector<std::string> tags;
  for (int i = 0; i < 1500; ++i) tags.push_back("t" + std::to_string(i));
  ASSERT_TRUE(store_.PushTagged("team/app", ImageManifest({"one"}), tags).has_value());
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  EXPECT_EQ(CodeOf(store_.DeleteManifest("team/app", digest_)), ErrorCode::kDenied);
  EXPECT_TRUE(store_.PullManifest("team/app", "t0").has_value());
}

TEST_F(TagRulesTest, OtherRepositoriesAndTagsAreFree) {
  ASSERT_TRUE(Set("releases", "team/*", "v2*").has_value());
  ASSERT_TRUE(Set("nested", "team/app/*", "*").has_value());
  ASSERT_TRUE(Set("other", "app", "*").has_value());
  EXPECT_TRUE(Move("v1.2").has_value());
  EXPECT_TRUE(store_.DeleteManifest("team/app", "v1.2").has_value());
}

TEST_F(TagRulesTest, ARemovedRuleProtectsNothing) {
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  ASSERT_EQ(CodeOf(Move("v1.2")), ErrorCode::kDenied);
  ASSERT_TRUE(Remove("releases").has_value());
  EXPECT_TRUE(Move("v1.2").has_value());
  EXPECT_EQ(CodeOf(Remove("releases")), ErrorCode::kNotFound);
}

TEST_F(TagRulesTest, ARuleOfTheSameNameReplacesIt) {
  ASSERT_TRUE(Set("releases", "**", "v*").has_value());
  ASSERT_TRUE(Set("releases", "**", "w*").has_value());
  EXPECT_TRUE(Move("v1.2").has_value());
  const auto rules = Rules().List("", 10);
  ASSERT_TRUE(rules.has_value());
  ASSERT_EQ(rules->rows.size(), 1U);
  EXPECT_EQ(rules->rows[0].tags(), "w*");
  EXPECT_EQ(rules->rows[0].created_by(), "admin");
  EXPECT_EQ(rules->rows[0].created_ms(), 1000);
}

TEST_F(TagRulesTest, InvalidRulesAreRefused) {
  const struct {
    const char* name;
    const char* repositories;
    const char* tags;
  } kCases[] = {
      {"", "**", "*"},          {"Releases", "**", "*"},          {"a/b", "**", "*"},
      {"releases", "", "*"},    {"releases", "team//app", "*"},   {"releases", "Team", "*"},
      {"releases", "**", ""},   {"releases", "**", "v 1"},        {"releases", "**", "v1/2"},
      {"releases", "***", "*"}, {"releases", "pull,push:a", "*"},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(CodeOf(Set(c.name, c.repositories, c.tags)), ErrorCode::kInvalidArgument)
        << c.name << " " << c.repositories << " " << c.tags;
  }
}

TEST_F(TagRulesTest, ThereAreAtMostAHundred) {
  for (size_t i = 0; i < kMaxTagRules; ++i) {
    ASSERT_TRUE(Set("rule-" + std::to_string(i), "**", "x" + std::to_string(i)).has_value());
  }
  EXPECT_EQ(CodeOf(Set("one-more", "**", "v*")), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Set("rule-99", "**", "v*").has_value()) << "a replacement is no new rule";
  EXPECT_EQ(CodeOf(Move("v1.2")), ErrorCode::kDenied);
  const auto page = Rules().List("", 60);
  EXPECT_EQ(Rules().List(page->next, 60)->rows.size(), 40U);
}

}  // namespace
}  // namespace outport::store
