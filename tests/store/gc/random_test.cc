#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "registry/records/rows.h"
#include "store/gc/content_key.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/test_name.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kClients = 4;
constexpr int kRounds = 250;  // of each client

// The seed is in the output. Set OUTPORT_TEST_SEED to repeat a run as far as threads allow.
uint32_t Seed() {
  const char* const text = std::getenv("OUTPORT_TEST_SEED");
  const uint32_t seed = text != nullptr ? static_cast<uint32_t>(std::strtoul(text, nullptr, 10))
                                        : std::random_device()();
  std::cout << "OUTPORT_TEST_SEED=" << seed << std::endl;
  return seed;
}

// A lock that timed out under this load is no fault.
template <class T>
bool IsBusy(const Result<T>& result) {
  return !result.has_value() && result.error().code == ErrorCode::kDeadlineExceeded;
}

// One client. It pushes into its own repository, where nobody deletes blobs, and into two that all
// share. All share the content.
class Client {
 public:
  Client(TestContent& store, int number, uint32_t seed)
      : store_(store), own_("own/" + std::to_string(number)), random_(seed) {}

  void Run() {
    for (int i = 0; i < kRounds && !testing::Test::HasFailure(); ++i) Act();
  }

 private:
  uint32_t Pick(uint32_t below) { return random_() % below; }
  std::string Blob() { return "blob " + std::to_string(Pick(8)); }
  std::string Tag() { return "t" + std::to_string(Pick(3)); }
  std::string Shared() { return "shared/" + std::to_string(Pick(2)); }

  void Act() {
    switch (Pick(10)) {
      case 0:
      case 1:
      case 2:
        return PushOwnImage();
      case 3:
        return HeadAndPush();
      case 4:
        return PushOwnIndex();
      case 5:
        static_cast<void>(store_.DeleteManifest(own_, Tag()));
        return;
      case 6:
        static_cast<void>(store_.PushImage(Shared(), Tag(), {Blob(), Blob()}));
        return;
      case 7:
        static_cast<void>(
            store_.DeleteManifest(Shared(), Sha256(ImageManifest({Blob(), Blob()})).ToString()));
        return;
      case 8:
        static_cast<void>(store_.DeleteBlob(Shared(), Blob()));
        return;
      default:
        return MountAndPush();
    }
  }

  // What was acknowledged a moment ago is here: nothing in the own repository deletes blobs, and
  // only this client deletes its tags.
  void ExpectImage(const std::string& tag, const std::vector<std::string>& blobs) {
    const auto manifest = store_.PullManifest(own_, tag);
    ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
    for (const std::string& blob : blobs) {
      const auto bytes = store_.PullBlob(own_, Sha256(blob));
      ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
      ASSERT_EQ(*bytes, blob);
    }
  }

  void Put(const std::string& tag, const std::vector<std::string>& blobs) {
    const auto put = store_.PushManifest(own_, tag, ImageManifest(blobs));
    if (IsBusy(put)) return;
    ASSERT_TRUE(put.has_value()) << "the lease protects the blobs: " << put.error().message;
    ExpectImage(tag, blobs);
  }

  void PushOwnImage() {
    const std::vector<std::string> blobs{Blob(), Blob()};
    for (const std::string& blob : blobs) {
      const auto pushed = store_.PushBlob(own_, blob);
      if (IsBusy(pushed)) return;
      ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
    }
    Put(Tag(), blobs);
  }

  void HeadAndPush() {
    const std::vector<std::string> blobs{Blob(), Blob()};
    for (const std::string& blob : blobs) {
      if (store_.content->blobs.Touch(Repo(own_), Sha256(blob)).has_value()) continue;
      if (!store_.PushBlob(own_, blob).has_value()) return;
    }
    Put(Tag(), blobs);
  }

  void MountAndPush() {
    const std::string blob = Blob();
    if (!store_.Mount(own_, blob, "").has_value()) return;
    Put(Tag(), {blob});
  }

  void PushOwnIndex() {
    const std::vector<std::string> blobs{Blob(), Blob()};
    for (const std::string& blob : blobs) {
      if (!store_.PushBlob(own_, blob).has_value()) return;
    }
    const std::string child = ImageManifest(blobs);
    if (!store_.PushTagged(own_, child, {}).has_value()) return;
    const std::string tag = Tag();
    const auto put = store_.PushManifest(own_, tag, IndexManifest({child}));
    if (IsBusy(put)) return;
    ASSERT_TRUE(put.has_value()) << "the lease protects the child: " << put.error().message;
    ExpectImage(tag, blobs);
    ExpectImage(Sha256(child).ToString(), blobs);
  }

  TestContent& store_;
  const std::string own_;
  std::mt19937 random_;
};

// Everything that a manifest reaches is here.
void CheckManifests(TestContent& store) {
  const auto rows = store.meta->Scan({.prefix = std::string(keys::kManifests), .limit = 100'000});
  for (const KeyValue& row : *rows) {
    const ContentKey content = *ParseContentKey(row.key, keys::kManifests);
    const auto stored = store.content->manifests.Get(content.repository, Reference(content.digest));
    ASSERT_TRUE(stored.has_value()) << stored.error().message;
    const auto manifest = Manifest::Parse(stored->body, stored->info.media_type);
    for (const Descriptor& blob : manifest->blobs) {
      const auto bytes = store.PullBlob(content.repository.ToString(), blob.digest);
      ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
      ASSERT_EQ(Sha256(*bytes), blob.digest);
    }
  }
}

void DeleteAllTags(TestContent& store) {
  const auto rows = store.meta->Scan({.prefix = std::string(keys::kTags), .limit = 100'000});
  for (const KeyValue& row : *rows) {
    const std::string rest(keys::After(row.key, keys::kTags));
    const size_t end = rest.find(keys::kSeparator);
    ASSERT_TRUE(store.DeleteManifest(rest.substr(0, end), rest.substr(end + 1)).has_value());
  }
}

struct Times {
  const char* what;
  milliseconds grace;
  milliseconds trash;
};

class RandomTest : public testing::TestWithParam<Times> {};

// Clients push, tag, mount and delete while the collector works, runs for untagged manifests come
// and go, and some of them are undone.
TEST_P(RandomTest, NothingReachableIsLostAndEverythingElseGoes) {
  const uint32_t seed = Seed();
  SCOPED_TRACE("OUTPORT_TEST_SEED=" + std::to_string(seed));
  TestContent store;
  store.times = {.grace = GetParam().grace, .lease = seconds(600), .trash = GetParam().trash};
  store.Reopen();
  TestCollector collector(store);
  std::atomic<int> running = kClients;
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      Client(store, i, seed + static_cast<uint32_t>(i)).Run();
      --running;
    });
  }
  std::mt19937 random(seed + kClients);
  while (running > 0) {
    static_cast<void>(collector->Step());  // a step may fail because a lock timed out
    store.clock.Advance(milliseconds(random() % 20));
    v1::StartRunRequest request;
    request.mutable_options()->set_delete_untagged(true);
    if (random() % 8 == 0) static_cast<void>(collector->StartRun(request, kAdministrator));
    if (random() % 40 != 0) continue;
    const std::vector<v1::RunRow> runs = collector.Runs();
    if (runs.empty()) continue;
    v1::UndoRunRequest undo;
    undo.set_id(runs[random() % runs.size()].id());
    static_cast<void>(collector->UndoRun(undo, kAdministrator));
  }
  for (std::thread& thread : threads) thread.join();
  collector.Work();
  ExpectConsistentStore(store);
  CheckManifests(store);
  ASSERT_FALSE(HasFailure());

  DeleteAllTags(store);
  for (int i = 0; i < 6; ++i) {
    store.clock.Advance(std::chrono::hours(2));
    static_cast<void>(collector.RunUntagged());
    ExpectConsistentStore(store);
  }
  for (const char* prefix :
       {"manifest/", "content/", "holder/", "link/", "linked/", "blob/", "reference/", "referrer/",
        "intent/", "condemned/", "untagged/", "orphaned/", "trash/", "trashed/"}) {
    EXPECT_EQ(CountRows(store, prefix), 0u) << prefix;
  }
  EXPECT_THAT(store.Files("blobs"), testing::IsEmpty());
}

constexpr Times kTimes[] = {
    {"no grace", milliseconds(0), milliseconds(0)},
    {"no grace and a trash", milliseconds(0), milliseconds(500)},
    {"a grace period of a second", seconds(1), milliseconds(200)},
};
INSTANTIATE_TEST_SUITE_P(Times, RandomTest, testing::ValuesIn(kTimes), kNameOfRow);

}  // namespace
}  // namespace outport::store
