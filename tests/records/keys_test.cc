#include "registry/records/keys.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

// Reads better than NUL in a table.
std::string Visible(std::string key) {
  for (char& c : key) c = c == '\0' ? '|' : c;
  return key;
}

TEST(Keys, AreLaidOutAsTheHeaderDraws) {
  const RepositoryName repository = *RepositoryName::Parse("a/b");
  const Tag tag = *Tag::Parse("v1");
  const std::string d1_text = "sha256:" + std::string(64, '1');
  const std::string d2_text = "sha256:" + std::string(64, '2');
  const Digest d1 = *Digest::Parse(d1_text);
  const Digest d2 = *Digest::Parse(d2_text);
  const struct {
    std::string key;
    std::string expected;
  } kCases[] = {
      {keys::Repository(repository), "repository/a/b"},
      {keys::TagOf(repository, tag), "tag/a/b|v1"},
      {keys::Tagged(repository, d1, tag), "tagged/a/b|" + d1_text + "|v1"},
      {keys::ManifestOf(repository, d1), "manifest/a/b|" + d1_text},
      {keys::Content(d1), "content/" + d1_text},
      {keys::Holder(d1, repository), "holder/" + d1_text + "|a/b"},
      {keys::Link(repository, d1), "link/a/b|" + d1_text},
      {keys::Linked(d1, repository), "linked/" + d1_text + "|a/b"},
      {keys::Blob(d1), "blob/" + d1_text},
      {keys::ReferenceOf(d1, repository, d2), "reference/" + d1_text + "|a/b|" + d2_text},
      {keys::Referrer(repository, d1, d2), "referrer/a/b|" + d1_text + "|" + d2_text},
      {keys::Upload("0123abcd"), "upload/0123abcd"},
      {keys::Intent("sha256/ab/x.1"), "intent/sha256/ab/x.1"},
      {keys::User("anna"), "user/anna"},
      {keys::AbsentUser("anna"), "absent-user/anna"},
      {keys::GrantsOf("group:ops"), "grant/group:ops"},
      {keys::Certificate("k", "s"), "certificate/k/s"},
      {keys::Revocation("k", "s"), "revocation/k/s"},
      {keys::Node("eu-west"), "node/eu-west"},
      {keys::Acknowledged("eu-west"), "acknowledged/eu-west"},
      {keys::Invitation("h"), "invitation/h"},
      {keys::Cached(d1), "cached/" + d1_text},
      {keys::GenerationPrefix(0x2b), "g/000000000000002b/"},
      {std::string(keys::kHighWaterMark), "shown"},
      {keys::TagsOf(repository), "tag/a/b|"},
      {keys::TagsOn(repository, d1), "tagged/a/b|" + d1_text + "|"},
      {keys::HoldersOf(d1), "holder/" + d1_text + "|"},
      {keys::LinkedIn(d1), "linked/" + d1_text + "|"},
      {keys::ReferencesTo(d1, repository), "reference/" + d1_text + "|a/b|"},
      {keys::ReferrersOf(repository, d1), "referrer/a/b|" + d1_text + "|"},
      {keys::TagEvent(repository, tag, 0x1), "tag-event/a/b|v1|fffffffffffffffe"},
      {keys::TagRule("releases"), "tag-rule/releases"},
      {keys::Untagged(repository, d1), "untagged/a/b|" + d1_text},
      {keys::Orphaned(repository, d1), "orphaned/a/b|" + d1_text},
      {keys::OrphanedIn(repository), "orphaned/a/b|"},
      {keys::Pull(repository, "v1"), "pull/a/b|v1"},
      {keys::NodeReport("eu-west"), "node-report/eu-west"},
      {keys::Pulled(repository, d1_text), "pulled/a/b|" + d1_text},
  };
  for (const auto& c : kCases) EXPECT_EQ(Visible(c.key), c.expected);
}

TEST(Keys, TheNewestTagEventComesFirst) {
  const RepositoryName repository = *RepositoryName::Parse("a");
  const Tag tag = *Tag::Parse("v1");
  EXPECT_LT(keys::TagEvent(repository, tag, 10), keys::TagEvent(repository, tag, 9));
  EXPECT_EQ(keys::TagEventNumber(keys::TagEvent(repository, tag, 10)), 10U);
  EXPECT_EQ(keys::TagEventNumber(keys::TagOf(repository, tag)), std::nullopt);
}

TEST(Keys, AfterGivesWhatFollowsAPrefix) {
  EXPECT_EQ(keys::After("tag/x", "tag/"), "x");
  EXPECT_EQ(keys::After("tag/", "tag/"), "");
  EXPECT_EQ(keys::After("other", "tag/"), "");
}

}  // namespace
}  // namespace outport
