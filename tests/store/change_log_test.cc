#include <map>
#include <random>

#include "store/rows.h"
#include "tests/store/content_fixture.h"

namespace outport::store {
namespace {

using Rows = std::map<std::string, std::string>;

// The rows that nodes see, as they stand in the store.
Rows ScanState(const MetaStore& meta) {
  Rows rows;
  for (const std::string_view prefix :
       {keys::kRepositories, keys::kTags, keys::kManifests, keys::kLinks}) {
    ScanRange range{.prefix = std::string(prefix), .after = {}, .limit = 7};
    for (;;) {
      const auto found = meta.Scan(range);
      EXPECT_TRUE(found.has_value());
      for (const KeyValue& row : *found) rows.emplace(row.key, row.value);
      if (found->size() < range.limit) break;
      range.after = found->back().key;
    }
  }
  return rows;
}

void Apply(const v1::Change& change, Rows& rows) {
  const auto digest = [](const std::string& text) { return *Digest::Parse(text); };
  switch (change.kind_case()) {
    case v1::Change::kRepository: {
      const auto& made = change.repository();
      rows[keys::Repository(Repo(made.repository()))] = made.row().SerializeAsString();
      return;
    }
    case v1::Change::kTagSet: {
      const auto& set = change.tag_set();
      rows[keys::TagOf(Repo(set.repository()), *Tag::Parse(set.tag()))] =
          set.row().SerializeAsString();
      return;
    }
    case v1::Change::kManifestPut: {
      const auto& put = change.manifest_put();
      rows[keys::ManifestOf(Repo(put.repository()), digest(put.digest()))] =
          put.row().SerializeAsString();
      return;
    }
    case v1::Change::kLink: {
      const auto& link = change.link();
      rows[keys::Link(Repo(link.repository()), digest(link.digest()))] =
          link.row().SerializeAsString();
      return;
    }
    default:
      FAIL() << "a change that no push makes: " << change.ShortDebugString();
  }
}

// What a node knows that read the log from its beginning, in batches.
Rows ReplayLog(const MetaStore& meta) {
  Rows rows;
  uint64_t next = 1;
  for (;;) {
    const auto records = meta.ReadLog(next, 5, 1 << 20);
    EXPECT_TRUE(records.has_value());
    if (!records.has_value() || records->empty()) return rows;
    for (const LogRecord& record : *records) {
      EXPECT_EQ(record.position.sequence, next) << "the log has a gap";
      ++next;
      v1::Change change;
      EXPECT_TRUE(change.ParseFromString(record.record));
      Apply(change, rows);
    }
  }
}

class RandomPushes {
 public:
  RandomPushes(TestContent& store, uint32_t seed) : store_(store), random_(seed) {}

  void Step() {
    const std::string repository = "r" + std::to_string(Pick(4));
    switch (Pick(6)) {
      case 0:
        Ignore(store_.PushBlob(repository, Blob()));
        break;
      case 1:
        Ignore(store_.PushBlobAs(repository, Blob(), Sha256(Blob())));  // mostly a wrong digest
        break;
      case 2:  // often with blobs that are missing
        Ignore(store_.PushManifest(repository, Name(), ImageManifest({Blob(), Blob()})));
        break;
      case 3:
        Ignore(store_.PushManifest(repository, Name(), IndexManifest({ImageManifest({Blob()})})));
        break;
      case 4:
        Ignore(store_.PushImage(repository, Name(), {Blob(), Blob()}));
        break;
      default:
        Ignore(store_.PushImage(repository, Name(), {Blob()}));
    }
  }

 private:
  uint32_t Pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  std::string Blob() { return "blob " + std::to_string(Pick(6)); }
  std::string Name() { return "t" + std::to_string(Pick(3)); }
  template <class T>
  void Ignore(const Result<T>& result) {
    if (!result.has_value()) ++refused;
  }

  TestContent& store_;
  std::mt19937 random_;

 public:
  int refused = 0;
};

// Whatever is pushed, refused and pushed again, a node that reads the log knows exactly what the
// store holds, at every step and after a restart.
TEST(I10StateAndLogCannotDiverge, ReplayingTheLogGivesTheState) {
  for (const uint32_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    TestContent store;
    RandomPushes pushes(store, seed);
    for (int i = 0; i < 60; ++i) {
      pushes.Step();
      if (i % 10 == 0) {
        ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta)) << "after step " << i;
      }
    }
    EXPECT_GT(pushes.refused, 0);
    EXPECT_GT(store.Head(), 20u);
    ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
    store.Reopen();
    ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
  }
}

}  // namespace
}  // namespace outport::store
