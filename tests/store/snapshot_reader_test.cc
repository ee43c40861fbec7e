#include "store/snapshot_reader.h"

#include <set>

#include "registry/storage/keys.h"
#include "store/rows.h"
#include "tests/store/content_fixture.h"

namespace outport::store {
namespace {

constexpr size_t kMostBytes = 1 << 20;  // far below what a message may have

// As large as a user may be.
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

  const auto reader = SnapshotReader::Open(*store.meta, "epoch");
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

}  // namespace
}  // namespace outport::store
