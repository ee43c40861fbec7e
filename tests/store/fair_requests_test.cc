#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "store/store_registry.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/io_thread.h"
#include "tests/support/test_latch.h"

namespace outport::store {
namespace {

class FairRequestsTest : public testing::Test {
 protected:
  ~FairRequestsTest() override {
    release_.CountDown();
    io_.Stop();
  }

  TestLatch started_{IoThread::kPoolThreads};
  TestLatch release_;
  TestContent store_;
  IoThread io_;
  Metrics metrics_;
  Uploads uploads_{{.meta = *store_.meta,
                    .bytes = *store_.bytes,
                    .blobs = store_.content->blobs,
                    .disk = io_.pool(),
                    .clock = store_.clock,
                    .store_clock = store_.store_clock,
                    .owner = *store_.owner,
                    .metrics = metrics_,
                    .log = Log::Nowhere(),
                    .boot_id = "boot"}};
  LargeWrites large_writes_{
      metrics_, {.max_wait = 2 * kTestDeadline, .recheck_interval = std::chrono::milliseconds(1)}};
  PullRecorder pulls_{[this] { return store_.store_clock.NowMs(); }};
  StoreRegistry registry_{{.content = *store_.content,
                           .uploads = uploads_,
                           .disk = io_.pool(),
                           .large_writes = large_writes_,
                           .pulls = pulls_,
                           .metrics = metrics_,
                           .log = Log::Nowhere()}};
};

// One holder with more requests than the pool queues keeps nobody else out.
TEST_F(FairRequestsTest, AFullPoolAdmitsTheRequestsOfOthers) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const RepositoryName repository = Repo("a");
  const Reference tag = Ref("v1");
  const Digest blob = Sha256("config");
  const PageRequest page{"", 10};
  const std::vector<Tag> no_tags;
  const std::string type;
  const auto caller_of = [](const std::string& user) {
    return Caller{.user = user,
                  .certificate_name = "desktop",
                  .address = "127.0.0.1",
                  .holder = {.kind = HolderKind::kUser, .name = user},
                  .request_id = "1"};
  };
  const Caller hog = caller_of("hog");
  const Caller ann = caller_of("ann");
  for (int i = 0; i < IoThread::kPoolThreads; ++i) {
    ASSERT_TRUE(io_.pool().Post([this] {
      started_.CountDown();
      release_.Wait();
    }));
  }
  started_.Wait();
  std::atomic<int> rejected = 0;
  const auto list = [&](const Caller& caller) -> net::awaitable<bool> {
    const auto tags = co_await registry_.ListTags(caller, repository, page);
    if (CodeOf(tags) == ErrorCode::kTooManyRequests) ++rejected;
    co_return tags.has_value();
  };
  std::vector<std::future<bool>> of_hog;
  while (rejected == 0 && of_hog.size() < 10'000) {
    of_hog.push_back(io_.Start(list(hog)));
    io_.Turn();
  }
  for (int i = 0; i < 10; ++i) io_.Turn();
  const int rejected_of_hog = rejected;
  EXPECT_GT(rejected_of_hog, 0);
  auto listed = io_.Start(list(ann));
  auto opened = io_.Start(registry_.OpenBlob(ann, repository, blob));
  auto put = io_.Start(
      registry_.PutManifest(ann, repository, tag, type, no_tags, ImageManifest({"config"})));
  for (int i = 0; i < 10; ++i) io_.Turn();
  EXPECT_EQ(rejected, rejected_of_hog + 3) << "three requests of the same holder made room";
  release_.CountDown();
  EXPECT_TRUE(listed.get());
  EXPECT_TRUE(opened.get().has_value());
  EXPECT_TRUE(put.get().has_value());
  for (auto& one : of_hog) one.get();
}

}  // namespace
}  // namespace outport::store
