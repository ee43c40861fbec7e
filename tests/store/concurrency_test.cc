#include <atomic>
#include <thread>

#include "store/rows.h"
#include "tests/store/content_fixture.h"

namespace outport::store {
namespace {

// Eight clients push images that share layers, into shared repositories and under shared tags, at
// once: nobody is refused, and every image is whole.
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
  // One object a digest, whoever won.
  const auto rows = store.meta->Scan({.prefix = std::string(keys::kBlobs), .after = {}});
  EXPECT_EQ(rows->size(), store.Files("blobs").size());
  EXPECT_TRUE(store.meta->Scan({.prefix = std::string(keys::kIntents), .after = {}})->empty());
}

}  // namespace
}  // namespace outport::store
