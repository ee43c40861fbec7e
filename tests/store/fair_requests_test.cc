#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "store/store_registry.h"
#include "tests/store/content/content_fixture.h"
#include "tests/support/io_thread.h"
#include "tests/support/test_latch.h"

namespace outport::store {
namespace {

Caller CallerOf(const std::string& user) {
  return Caller{.user = user,
                .certificate_name = "desktop",
                .address = "127.0.0.1",
                .holder = {.kind = HolderKind::kUser, .name = user},
                .request_id = "1"};
}

// Returns why a request failed; nullopt if it succeeded.
template <class T>
std::optional<ErrorCode> FailureOf(const Result<T>& result) {
  if (result.has_value()) return std::nullopt;
  return result.error().code;
}

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
  const Caller hog = CallerOf("hog");
  const Caller ann = CallerOf("ann");
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
    if (FailureOf(tags) == ErrorCode::kTooManyRequests) ++rejected;
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

// Changes of one user are limited, and what the store changes by itself is not.
TEST_F(FairRequestsTest, ChangesAndNewRepositoriesOfOneHolderAreLimited) {
  ChangeRate rate(store_.clock, metrics_,
                  {.per_second = 0.01, .burst = 3, .new_repositories_per_hour = 1});
  StoreRegistry registry({.content = *store_.content,
                          .uploads = uploads_,
                          .disk = io_.pool(),
                          .large_writes = large_writes_,
                          .pulls = pulls_,
                          .metrics = metrics_,
                          .log = Log::Nowhere(),
                          .change_rate = &rate});
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config"}).has_value());
  const RepositoryName known = Repo("a");
  const RepositoryName fresh = Repo("fresh");
  const RepositoryName other = Repo("other");
  const Reference tag = Ref("v1");
  const Digest blob = Sha256("config");
  const std::vector<Tag> no_tags;
  const std::string type;
  const std::optional<RepositoryName> from = known;
  const auto put = [&](const Caller& caller) {
    return FailureOf(io_.Await(
        registry.PutManifest(caller, known, tag, type, no_tags, ImageManifest({"config"}))));
  };
  const auto mount = [&](const Caller& caller, const RepositoryName& repository) {
    return FailureOf(io_.Await(registry.MountBlob(caller, repository, blob, from, kEverywhere)));
  };
  const Caller ann = CallerOf("ann");
  const Caller bob = CallerOf("bob");
  EXPECT_EQ(mount(ann, fresh), std::nullopt);
  EXPECT_EQ(mount(ann, other), ErrorCode::kTooManyRequests);
  EXPECT_EQ(FailureOf(io_.Await(registry.StartUpload(ann, other, DigestAlgorithm::kSha256))),
            ErrorCode::kTooManyRequests);
  EXPECT_EQ(mount(ann, known), std::nullopt) << "it exists";
  EXPECT_EQ(put(ann), std::nullopt);
  EXPECT_EQ(FailureOf(io_.Await(registry.DeleteManifest(ann, known, tag))), std::nullopt);
  EXPECT_EQ(FailureOf(io_.Await(registry.DeleteBlob(ann, fresh, blob))), std::nullopt);
  EXPECT_EQ(put(ann), ErrorCode::kTooManyRequests);
  EXPECT_EQ(FailureOf(io_.Await(registry.DeleteManifest(ann, known, tag))),
            ErrorCode::kTooManyRequests);
  EXPECT_EQ(FailureOf(io_.Await(registry.DeleteBlob(ann, known, blob))),
            ErrorCode::kTooManyRequests);
  EXPECT_EQ(put(bob), std::nullopt);
  EXPECT_EQ(mount(bob, other), std::nullopt);
}

}  // namespace
}  // namespace outport::store
