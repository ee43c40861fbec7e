#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/replay.h"

namespace outport::store {
namespace {

// Eight clients push images concurrently, with shared layers, repositories and tags: no push fails,
// and every image is complete.
TEST(ContentConcurrency, PushesThatShareLayersDoNotHinderEachOther) {
  constexpr int kThreads = 8;
  constexpr int kImages = 12;
  TestContent store;
  std::atomic<int> failures = 0;
  const auto blobs_of = [](int thread, int image) {
    return std::vector<std::string>{"config " + std::to_string(thread) + std::to_string(image),
                                    "shared base", "shared layer " + std::to_string(image % 3),
                                    "own " + std::to_string(thread)};
  };
  const auto push = [&](int thread) {
    for (int image = 0; image < kImages; ++image) {
      const std::string repository = "r" + std::to_string(image % 2);
      const auto pushed =
          store.PushImage(repository, "t" + std::to_string(image % 4), blobs_of(thread, image));
      if (!pushed.has_value()) {
        ++failures;
        ADD_FAILURE() << pushed.error().message;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(push, thread);
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(failures, 0);

  for (int thread = 0; thread < kThreads; ++thread) {
    for (int image = 0; image < kImages; ++image) {
      const std::string repository = "r" + std::to_string(image % 2);
      const std::string body = ImageManifest(blobs_of(thread, image));
      ASSERT_TRUE(store.PullManifest(repository, Sha256(body).ToString()).has_value());
      for (const std::string& blob : blobs_of(thread, image)) {
        const auto pulled = store.PullBlob(repository, Sha256(blob));
        ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
        ASSERT_EQ(*pulled, blob);
      }
    }
  }
  // There is one object per digest.
  const auto rows = store.meta->Scan({.prefix = std::string(keys::kBlobs), .after = {}});
  EXPECT_EQ(rows->size(), store.Files("blobs").size());
  EXPECT_TRUE(store.meta->Scan({.prefix = std::string(keys::kIntents), .after = {}})->empty());
}

// Runs both concurrently, on two threads.
template <class First, class Second>
void Together(First first, Second second) {
  std::thread other(second);
  first();
  other.join();
}

// An acknowledged manifest has its blobs, although blobs are deleted concurrently.
TEST(ContentConcurrency, ABlobIsDeletedOrReferredToNeverBoth) {
  TestContent store;
  for (int round = 0; round < 60; ++round) {
    const std::string layer = "layer " + std::to_string(round);
    const std::string body = ImageManifest({layer});
    ASSERT_TRUE(store.PushBlob("a", layer).has_value());
    bool pushed = false;
    bool deleted = false;
    Together([&] { pushed = store.PushManifest("a", "v1", body).has_value(); },
             [&] { deleted = store.DeleteBlob("a", layer).has_value(); });
    ASSERT_NE(pushed, deleted) << "round " << round;
    EXPECT_EQ(store.PullBlob("a", Sha256(layer)).has_value(), pushed);
  }
  EXPECT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
}

// An acknowledged mount has its bytes, and no blob is mounted from a link that was deleted before.
TEST(ContentConcurrency, AMountComesBeforeTheDeletionOfItsSourceOrNotAtAll) {
  TestContent store;
  for (int round = 0; round < 60; ++round) {
    const std::string layer = "layer " + std::to_string(round);
    ASSERT_TRUE(store.PushBlob("a", layer).has_value());
    bool mounted = false;
    Together([&] { mounted = store.Mount("b", layer, "a").has_value(); },
             [&] { ASSERT_TRUE(store.DeleteBlob("a", layer).has_value()); });
    EXPECT_EQ(store.PullBlob("b", Sha256(layer)).has_value(), mounted);
    EXPECT_FALSE(store.PullBlob("a", Sha256(layer)).has_value());
  }
  EXPECT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
}

// A manifest is deleted while clients push the same bytes to another repository, or tag it here.
TEST(ContentConcurrency, AManifestThatOthersPushKeepsItsBytesAndNoTagDangles) {
  TestContent store;
  for (int round = 0; round < 60; ++round) {
    const std::string config = "config " + std::to_string(round);
    const std::string body = ImageManifest({config});
    for (const char* name : {"a", "b"}) ASSERT_TRUE(store.PushBlob(name, config).has_value());
    ASSERT_TRUE(store.PushManifest("a", "v1", body).has_value());
    const auto remove = [&] {
      EXPECT_TRUE(store.DeleteManifest("a", Sha256(body).ToString()).has_value());
    };
    if (round % 2 == 0) {
      Together(remove, [&] { EXPECT_TRUE(store.PushManifest("b", "v1", body).has_value()); });
      const auto pulled = store.PullManifest("b", "v1");
      ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
    } else {
      Together(remove, [&] { EXPECT_TRUE(store.PushTagged("a", body, {"v1", "v2"}).has_value()); });
      EXPECT_EQ(store.PullManifest("a", "v2").has_value(),
                store.PullManifest("a", Sha256(body).ToString()).has_value());
    }
    ASSERT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty()) << "round " << round;
  }
}

// An acknowledged index had its children when it was pushed.
TEST(ContentConcurrency, DeletionsOfManyKindsLeaveTheIndexesWhole) {
  constexpr int kThreads = 6;
  TestContent store;
  const auto work = [&](int thread) {
    std::mt19937 random(static_cast<uint32_t>(thread));
    const auto pick = [&](uint32_t below) { return std::to_string(random() % below); };
    for (int i = 0; i < 60; ++i) {
      const std::string repository = "r" + pick(2);
      const std::string config = "config " + pick(3);
      const std::string image = ImageManifest({config});
      const std::string index = IndexManifest({image});
      const std::string referrer = ImageManifest({config}, SubjectJson(Sha256(image)));
      const std::string bodies[] = {image, index, referrer};
      const std::string& body = bodies[random() % 3];
      switch (random() % 6) {
        case 0:
          static_cast<void>(store.PushImage(repository, "t" + pick(3), {config}));
          break;
        case 1:
          static_cast<void>(store.PushTagged(repository, body, {"t" + pick(3), "t" + pick(3)}));
          break;
        case 2:
          static_cast<void>(store.DeleteManifest(repository, "t" + pick(3)));
          break;
        case 3:
          static_cast<void>(store.DeleteManifest(repository, Sha256(body).ToString()));
          break;
        case 4:
          static_cast<void>(store.DeleteBlob(repository, config));
          break;
        default:
          static_cast<void>(store.Mount(repository, config, ""));
      }
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
  EXPECT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
}

}  // namespace
}  // namespace outport::store
