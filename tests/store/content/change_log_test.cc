#include <gmock/gmock.h>

#include <random>

#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/replay.h"

namespace outport::store {
namespace {

class RandomRequests {
 public:
  RandomRequests(TestContent& store, uint32_t seed) : store_(store), random_(seed) {}

  void Step() {
    const std::string repository = "r" + std::to_string(Pick(4));
    switch (Pick(11)) {
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
      case 5:
        Ignore(store_.PushImage(repository, Name(), {Blob()}));
        break;
      case 6: {
        const std::string subject = ImageManifest({Blob()});
        const std::string body = ImageManifest({Blob()}, SubjectJson(Sha256(subject)));
        Ignore(store_.PushTagged(repository, body, {Name(), Name()}));
        break;
      }
      case 7:
        Ignore(store_.DeleteManifest(repository, Name()));
        break;
      case 8: {
        const std::string one = ImageManifest({Blob()});
        const std::string body = ImageManifest({Blob()}, SubjectJson(Sha256(one)));
        Ignore(store_.DeleteManifest(repository, Sha256(Pick(2) == 0 ? one : body).ToString()));
        break;
      }
      case 9:
        Ignore(store_.DeleteBlob(repository, Blob()));
        break;
      default:
        Ignore(store_.Mount(repository, Blob(), ""));
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

// After any sequence of pushes, rejections and deletions, a node that has read the log has exactly
// the store's rows: at every step, and after a restart.
TEST(I10StateAndLogCannotDiverge, ReplayingTheLogGivesTheState) {
  for (const uint32_t seed : {1, 2, 3}) {
    SCOPED_TRACE(seed);
    TestContent store;
    RandomRequests requests(store, seed);
    for (int i = 0; i < 120; ++i) {
      requests.Step();
      if (i % 10 == 0) {
        ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta)) << "after step " << i;
      }
    }
    EXPECT_GT(requests.refused, 0);
    EXPECT_GT(store.Head(), 20u);
    ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
    EXPECT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
    store.Reopen();
    ASSERT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
  }
}

}  // namespace
}  // namespace outport::store
