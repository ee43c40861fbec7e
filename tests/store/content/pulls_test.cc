#include "store/content/pulls.h"

#include <gtest/gtest.h>

#include "registry/records/rows.h"
#include "store/content/pull_flush.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

constexpr int64_t kHourMs = 3'600'000;

// The pulls of a process, and what writes them.
struct Flusher {
  explicit Flusher(TestContent& store, const PullRecorder::Limits& limits = {})
      : recorder([&store] { return store.store_clock.NowMs(); }, limits),
        flush({.pulls = recorder,
               .meta = *store.meta,
               .pool = pool,
               .metrics = metrics,
               .log = Log::Nowhere()}) {}
  ~Flusher() { pool.Stop(); }
  Flusher(const Flusher&) = delete;
  Flusher& operator=(const Flusher&) = delete;

  PullRecorder recorder;
  BlockingPool pool{"disk", 1, 10};
  Metrics metrics;
  PullFlush flush;
};

class PullsTest : public testing::Test {
 protected:
  PullsTest() {
    EXPECT_TRUE(store_.PushImage("a", "latest", {"one"}).has_value());
    EXPECT_TRUE(store_.PushImage("a", "other", {"two"}).has_value());
  }

  WrittenPulls Write(const std::string& reference, int64_t time_ms, const std::string& node = {}) {
    const auto written = WritePulls(*store_.meta, {{Repo("a"), Ref(reference), time_ms}}, node,
                                    MetaTransaction::Durability::kBuffered);
    EXPECT_TRUE(written.has_value());
    return written.value_or(WrittenPulls());
  }
  // The time in the row; 0: there is none.
  int64_t TimeOf(const std::string& reference) {
    const auto row = FindPull(*store_.meta, Repo("a"), Ref(reference));
    EXPECT_TRUE(row.has_value());
    return row->has_value() ? (*row)->last_ms() : 0;
  }

  TestContent store_;
  const std::string image_ = ImageManifest({"one"});
  const std::string digest_ = Sha256(image_).ToString();
};

TEST_F(PullsTest, KeepsTheNewestPull) {
  EXPECT_EQ(Write("latest", 5 * kHourMs, "eu-west").rows, 1U);
  EXPECT_EQ((*FindPull(*store_.meta, Repo("a"), Ref("latest")))->node(), "eu-west");
  EXPECT_EQ(Write("latest", 4 * kHourMs).rows, 0U) << "a late report";
  EXPECT_EQ(TimeOf("latest"), 5 * kHourMs);
  EXPECT_EQ(Write("latest", 6 * kHourMs).rows, 1U);
  EXPECT_EQ(TimeOf("latest"), 6 * kHourMs);
  EXPECT_EQ((*FindPull(*store_.meta, Repo("a"), Ref("latest")))->node(), "");
  EXPECT_EQ(TimeOf(digest_), 0) << "each row has its own pulls";
}

TEST_F(PullsTest, WritesARowOnceAnHour) {
  EXPECT_EQ(Write(digest_, 5 * kHourMs).rows, 1U);
  EXPECT_EQ(Write(digest_, 6 * kHourMs - 1).rows, 0U);
  EXPECT_EQ(TimeOf(digest_), 5 * kHourMs);
}

// A node begins its hour 25 minutes after the store, and reports only its first pull of it.
TEST_F(PullsTest, TheLatestTimeOfAPullCoversTheHoursOfStoreAndNode) {
  constexpr int64_t kMinuteMs = 60'000;
  Write(digest_, 5 * kHourMs + 5 * kMinuteMs);
  Write(digest_, 5 * kHourMs + 26 * kMinuteMs, "eu-west");
  const int64_t last_ms = 6 * kHourMs + 24 * kMinuteMs;  // not reported
  EXPECT_LT(TimeOf(digest_), last_ms);
  EXPECT_GT(LatestPullMs(TimeOf(digest_)), last_ms);
  EXPECT_EQ(LatestPullMs(0), 0) << "no known pull";
}

TEST_F(PullsTest, DropsPullsOfWhatDoesNotExist) {
  for (const std::string& absent : {std::string("absent"), Sha256("absent").ToString()}) {
    const WrittenPulls written = Write(absent, kHourMs);
    EXPECT_EQ(written.rows, 0U) << absent;
    EXPECT_EQ(written.unknown, 1U) << absent;
    EXPECT_EQ(TimeOf(absent), 0) << absent;
  }
}

TEST_F(PullsTest, ARowGoesWithItsTag) {
  Write("latest", kHourMs);
  Write(digest_, kHourMs);
  ASSERT_TRUE(store_.DeleteManifest("a", "latest").has_value());
  EXPECT_EQ(TimeOf("latest"), 0);
  EXPECT_EQ(TimeOf(digest_), kHourMs);
  EXPECT_EQ(Write("latest", 2 * kHourMs).unknown, 1U) << "a late report does not bring it back";
  EXPECT_EQ(TimeOf("latest"), 0);
}

TEST_F(PullsTest, RowsGoWithTheManifest) {
  Write("latest", kHourMs);
  Write(digest_, kHourMs);
  Write("other", kHourMs);
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  EXPECT_EQ(TimeOf("latest"), 0);
  EXPECT_EQ(TimeOf(digest_), 0);
  EXPECT_EQ(TimeOf("other"), kHourMs);
}

TEST_F(PullsTest, TheFlushWritesWhatTheRecorderHas) {
  Flusher flusher(store_, {.pulls = 2, .in_repository = 2});
  flusher.recorder.Record(Repo("a"), Ref("latest"), Sha256(image_));
  flusher.recorder.Record(Repo("a"), Ref(Sha256("absent").ToString()), Sha256("absent"));
  EXPECT_TRUE(flusher.flush.Flush().has_value());
  EXPECT_EQ(TimeOf("latest"), store_.store_clock.NowMs());
  EXPECT_EQ(TimeOf(digest_), store_.store_clock.NowMs());
  const auto dropped = [&](const char* reason) {
    return flusher.metrics.Counter("outport_store_pulls_dropped_total", "", {{"reason", reason}})
        .Value();
  };
  EXPECT_EQ(flusher.metrics.Counter("outport_store_pulls_recorded_total", "").Value(), 2);
  EXPECT_EQ(dropped("full"), 1);
  EXPECT_EQ(dropped("unknown"), 0);
  flusher.recorder.Record(Repo("a"), Ref(Sha256("absent").ToString()), Sha256("absent"));
  EXPECT_TRUE(flusher.flush.Flush().has_value());
  EXPECT_EQ(dropped("unknown"), 1);
}

TEST_F(PullsTest, TheFlushAfterAFailedOneWritesTheOldPullsAndTheNewOnes) {
  Flusher flusher(store_);
  flusher.recorder.Record(Repo("a"), Ref("latest"), Sha256(image_));
  auto other = store_.meta->Begin();
  ASSERT_TRUE(other->GetForUpdate(keys::Pull(Repo("a"), "latest")).has_value());
  const Result<void> failed = flusher.flush.Flush();
  ASSERT_FALSE(failed.has_value()) << "the row is locked for longer than a transaction waits";
  EXPECT_EQ(failed.error().code, ErrorCode::kDeadlineExceeded);
  other.reset();
  EXPECT_EQ(TimeOf("latest"), 0);
  flusher.recorder.Record(Repo("a"), Ref("other"), Sha256(ImageManifest({"two"})));
  EXPECT_TRUE(flusher.flush.Flush().has_value());
  EXPECT_EQ(TimeOf("latest"), store_.store_clock.NowMs());
  EXPECT_EQ(TimeOf("other"), store_.store_clock.NowMs());
}

// Overwrites the row with bytes that no message has.
void Corrupt(MetaStore& meta, const std::string& key) {
  const auto corrupt = [&](MetaTransaction& transaction) { return transaction.Put(key, "\xff"); };
  ASSERT_TRUE(Transact(meta, corrupt).has_value());
}

TEST_F(PullsTest, APullReplacesACorruptRow) {
  Corrupt(*store_.meta, keys::Pull(Repo("a"), "latest"));
  ASSERT_FALSE(FindPull(*store_.meta, Repo("a"), Ref("latest")).has_value());
  EXPECT_EQ(Write("latest", 5 * kHourMs).rows, 1U);
  EXPECT_EQ(TimeOf("latest"), 5 * kHourMs);
}

TEST_F(PullsTest, APushOfADeletedManifestReplacesACorruptRow) {
  Write(digest_, 5 * kHourMs);
  ASSERT_TRUE(store_.DeleteManifest("a", digest_).has_value());
  Corrupt(*store_.meta, keys::Pull(Repo("a"), digest_));
  ASSERT_TRUE(store_.PushManifest("a", "latest", image_).has_value());
  EXPECT_EQ(TimeOf(digest_), 5 * kHourMs) << "the row from the trash";
}

}  // namespace
}  // namespace outport::store
