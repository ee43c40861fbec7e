#include "store/replication/snapshot_reader.h"

#include <set>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

constexpr size_t kMostBytes = 1 << 20;  // far below the limit of a message

// A user of the largest size.
v1::UserRow UserWithManyGrants(int number) {
  v1::UserRow row;
  row.set_name("user-" + std::to_string(number));
  for (int i = 0; i < 100; ++i) {
    v1::Grant& grant = *row.add_grants();
    grant.set_pattern(std::string(255, 'p'));
    grant.add_actions("pull");
  }
  return row;
}

TEST(SnapshotReader, PartsOfLargeRowsAreSmallAndWhole) {
  constexpr int kUsers = 300;
  TestContent store;
  const auto transaction = store.meta->Begin();
  for (int i = 0; i < kUsers; ++i) {
    const v1::UserRow row = UserWithManyGrants(i);
    ASSERT_TRUE(WriteRow(*transaction, keys::User(row.name()), row).has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  ASSERT_TRUE(store.PushImage("team/app", "v1", {"config", "layer"}).has_value());

  const auto reader = SnapshotReader::Open(*store.meta, "epoch", NodeScope({}));
  ASSERT_TRUE(reader.has_value());
  std::set<std::string> users;
  size_t rows = 0;
  for (bool last = false; !last;) {
    const auto part = (*reader)->Next();
    ASSERT_TRUE(part.has_value()) << part.error().message;
    EXPECT_LT(part->ByteSizeLong(), kMostBytes);
    for (const v1::Change& row : part->rows()) {
      if (row.has_user_set()) users.insert(row.user_set().name());
    }
    rows += static_cast<size_t>(part->rows_size());
    last = part->last();
  }
  EXPECT_EQ(users.size(), static_cast<size_t>(kUsers));
  EXPECT_EQ(rows, kUsers + 5u) << "a repository, a manifest, two links, a tag";
}

// A referrer may be nearly as large as a manifest. Its part stays far below the limit of a message,
// and the log's record has the same row.
TEST(SnapshotReader, CarriesLargeReferrers) {
  TestContent store;
  ASSERT_TRUE(store.PushBlob("team/app", "config").has_value());
  const Digest subject = Sha256("subject");
  for (const char* name : {"x", "y", "z"}) {
    const std::string annotation = R"(,"annotations":{")" + std::string(name) + R"(":")" +
                                   std::string(4000 * 1000, 'v') + "\"}";
    const std::string body = ImageManifest({"config"}, SubjectJson(subject) + annotation);
    ASSERT_TRUE(store.PushManifest("team/app", Sha256(body).ToString(), body).has_value());
  }
  const auto reader = SnapshotReader::Open(*store.meta, "epoch", NodeScope({}));
  ASSERT_TRUE(reader.has_value());
  size_t referrers = 0;
  for (bool last = false; !last;) {
    const auto part = (*reader)->Next();
    ASSERT_TRUE(part.has_value()) << part.error().message;
    EXPECT_LT(part->ByteSizeLong(), 5u << 20);
    for (const v1::Change& row : part->rows()) {
      if (!row.has_referrer_set()) continue;
      ++referrers;
      EXPECT_EQ(row.referrer_set().repository(), "team/app");
      EXPECT_EQ(row.referrer_set().subject(), subject.ToString());
      EXPECT_EQ(row.referrer_set().row().annotations(0).value().size(), 4000u * 1000);
    }
    last = part->last();
  }
  EXPECT_EQ(referrers, 3u);
}

// Nodes need no lease of a link, nor who pulled the manifests that it lost.
TEST(SnapshotReader, ALinkHasOnlyItsSize) {
  TestContent store;
  const auto pushed = store.PushImage("team/app", "v1", {"config"});
  ASSERT_TRUE(pushed.has_value());
  const Pull pull{Repo("team/app"), Reference(pushed->digest), store.store_clock.NowMs()};
  ASSERT_TRUE(WritePulls(*store.meta, {pull}, "eu-west", MetaTransaction::Durability::kBuffered)
                  .has_value());
  ASSERT_TRUE(store.DeleteManifest("team/app", pushed->digest.ToString()).has_value());
  const auto stored =
      ReadRow<v1::LinkRow>(*store.meta, keys::Link(Repo("team/app"), Sha256("config")));
  ASSERT_TRUE(stored.has_value() && stored->has_value());
  EXPECT_EQ((*stored)->pulled_at(), "eu-west");
  v1::LinkRow only_size;
  only_size.set_size_bytes((*stored)->size_bytes());
  const auto reader = SnapshotReader::Open(*store.meta, "epoch", NodeScope({}));
  ASSERT_TRUE(reader.has_value());
  size_t links = 0;
  for (bool last = false; !last;) {
    const auto part = (*reader)->Next();
    ASSERT_TRUE(part.has_value()) << part.error().message;
    for (const v1::Change& row : part->rows()) {
      if (!row.has_link()) continue;
      ++links;
      EXPECT_EQ(row.link().row().SerializeAsString(), only_size.SerializeAsString());
    }
    last = part->last();
  }
  EXPECT_EQ(links, 1u);
}

}  // namespace
}  // namespace outport::store
