#include "store/content/intact_blobs.h"

#include <algorithm>
#include <fstream>
#include <random>

#include "tests/store/content/content_fixture.h"
#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

class IntactBlobsTest : public testing::Test {
 protected:
  // Returns content of 40 MiB: more than a check reads in one turn.
  static const std::string& Content() {
    static const std::string content = [] {
      std::string made(40 << 20, '\0');
      std::minstd_rand random(7);
      std::ranges::generate(made, [&random] { return static_cast<char>(random()); });
      return made;
    }();
    return content;
  }
  IntactBlobsTest() {
    EXPECT_TRUE(store_.PushBlob("a", Content()).has_value());
    store_.Reopen();  // a process that has not written the blob
  }

  // Changes the last byte of the object on the disk.
  void Rot() {
    const std::filesystem::path path = store_.Files("blobs").front();
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put(static_cast<char>(Content().back() ^ 1));
  }
  Result<bool> Check(IntactBlobs& intact, const std::string& repository = "a") {
    return io_.Await(intact.Check({HolderKind::kUser, "ann"}, Repo(repository), Sha256(Content())));
  }

  TestContent store_;
  IoThread io_;
};

TEST_F(IntactBlobsTest, AnIntactBlobIsReadOnceADay) {
  IntactBlobs intact(store_.content->blobs, io_.pool());
  EXPECT_TRUE(*Check(intact));
  Rot();
  EXPECT_TRUE(*Check(intact));
  store_.clock.Advance(std::chrono::hours(25));
  EXPECT_FALSE(*Check(intact));
}

TEST_F(IntactBlobsTest, ACorruptBlobGoesToQuarantine) {
  Rot();
  IntactBlobs intact(store_.content->blobs, io_.pool());
  EXPECT_FALSE(*Check(intact));
  EXPECT_EQ(store_.Files("quarantine").size(), 1u);
  EXPECT_EQ(CodeOf(store_.content->blobs.Stat(Repo("a"), Sha256(Content()))),
            ErrorCode::kBlobUnknown);
}

TEST_F(IntactBlobsTest, ABlobWithoutItsFileIsNotIntact) {
  for (const auto& file : store_.Files("blobs")) std::filesystem::remove(file);
  IntactBlobs intact(store_.content->blobs, io_.pool());
  EXPECT_FALSE(*Check(intact));
}

TEST_F(IntactBlobsTest, AnotherObjectIsReadAgain) {
  IntactBlobs intact(store_.content->blobs, io_.pool());
  EXPECT_TRUE(*Check(intact));
  ASSERT_TRUE(store_.PushBlob("a", Content()).has_value());
  Rot();
  EXPECT_TRUE(*Check(intact)) << "this process has just written it";
  store_.clock.Advance(std::chrono::hours(25));
  EXPECT_FALSE(*Check(intact));
}

TEST_F(IntactBlobsTest, AnUnknownBlobIsNotIntact) {
  IntactBlobs intact(store_.content->blobs, io_.pool());
  ASSERT_TRUE(store_.PushBlob("b", "other").has_value());
  EXPECT_FALSE(*Check(intact, "b"));
}

TEST_F(IntactBlobsTest, ACheckThatTakesTooLongIsContinued) {
  IntactBlobs intact(store_.content->blobs, io_.pool(),
                     {.checks = 1, .max_wait = std::chrono::milliseconds(0)});
  constexpr int kTurns = 5;  // of 8 MiB, one for each check
  for (int turn = 1; turn < kTurns; ++turn) EXPECT_FALSE(*Check(intact)) << turn;
  EXPECT_TRUE(*Check(intact));
}

TEST_F(IntactBlobsTest, NoMoreChecksRunThanAllowed) {
  IntactBlobs intact(store_.content->blobs, io_.pool(),
                     {.checks = 0, .max_wait = std::chrono::seconds(5)});
  EXPECT_FALSE(*Check(intact));
}

}  // namespace
}  // namespace outport::store
