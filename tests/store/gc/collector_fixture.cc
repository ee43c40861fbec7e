#include "tests/store/gc/collector_fixture.h"

#include <algorithm>
#include <set>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{1};
constexpr int kMaxSteps = 100'000;
// After a burst, the next look at the queue may find the trash of that burst.
constexpr int kIdleSteps = 4;

}  // namespace

TestCollector::TestCollector(TestContent& store, Collector::Limits limits)
    : TestCollector(store, limits, {}) {}

TestCollector::TestCollector(TestContent& store, Collector::Limits limits, const Devices& devices)
    : store_(store) {
  if (limits.interval == Collector::Limits().interval) limits.interval = kInterval;
  limits.max_rate = 1'000'000'000;  // so that Step() asks for a wait only when it is idle
  collector_ = std::make_unique<Collector>(
      Collector::Parts{.meta = devices.meta != nullptr ? *devices.meta : *store.meta,
                       .bytes = devices.bytes != nullptr ? *devices.bytes : *store.bytes,
                       .clock = store.clock,
                       .store_clock = store.store_clock,
                       .owner = *store.owner,
                       .times = store.times,
                       .metrics = store.metrics,
                       .log = devices.log,
                       .limits = limits,
                       .demand = devices.demand,
                       .flush_pulls = devices.flush_pulls,
                       .nodes_without_report = [this] { return nodes_without_report; }});
}

TestCollector::~TestCollector() = default;

bool TestCollector::Step() {
  const milliseconds wait = collector_->Step();
  EXPECT_LE(wait, kInterval) << "the step failed";
  store_.clock.Advance(kInterval);
  return wait < kInterval;
}

void TestCollector::Work() {
  int idle = 0;
  for (int step = 0; step < kMaxSteps && idle < kIdleSteps; ++step) {
    idle = Step() ? 0 : idle + 1;
  }
  EXPECT_EQ(idle, kIdleSteps) << "the collector finds no end";
}

void TestCollector::WorkAfter(milliseconds time) {
  store_.clock.Advance(time);
  Work();
}

void TestCollector::Pause() { EXPECT_TRUE(collector_->Pause({}, kAdministrator).has_value()); }

void TestCollector::Resume() { EXPECT_TRUE(collector_->Resume({}, kAdministrator).has_value()); }

void TestCollector::StepAndPause() {
  static_cast<void>(Step());
  Pause();
}

v1::GetPlanResponse TestCollector::Plan(bool delete_untagged, const std::string& repositories) {
  v1::GetPlanRequest request;
  request.mutable_options()->set_delete_untagged(delete_untagged);
  request.mutable_options()->set_repositories(repositories);
  const auto plan = collector_->GetPlan(request);
  EXPECT_TRUE(plan.has_value()) << plan.error().message;
  return plan.value_or(v1::GetPlanResponse());
}

v1::RunRow TestCollector::Run(const v1::StartRunRequest& request) {
  collector_->Step();  // acquires the lease
  return Finish(collector_->StartRun(request, kAdministrator));
}

Result<v1::RunRow> TestCollector::StartPlan(const std::string& plan) {
  v1::StartRunRequest request;
  request.set_plan(plan);
  return collector_->StartRun(request, kAdministrator);
}

v1::RunRow TestCollector::Finish(const Result<v1::RunRow>& started) {
  EXPECT_TRUE(started.has_value()) << started.error().message;
  if (!started.has_value()) return {};
  Work();
  v1::GetRunRequest get;
  get.set_id(started->id());
  return collector_->GetRun(get).value_or(v1::RunRow());
}

v1::RunRow TestCollector::RunUntagged() {
  v1::StartRunRequest request;
  request.mutable_options()->set_delete_untagged(true);
  return Run(request);
}

v1::RunRow TestCollector::Undo(const std::string& run) {
  collector_->Step();  // acquires the lease
  v1::UndoRunRequest request;
  request.set_id(run);
  const auto started = collector_->UndoRun(request, kAdministrator);
  EXPECT_TRUE(started.has_value()) << started.error().message;
  if (!started.has_value()) return {};
  for (int step = 0; step < kMaxSteps && !collector_->Get()->running().empty(); ++step) Step();
  v1::GetRunRequest get;
  get.set_id(run);
  return *collector_->GetRun(get);
}

std::vector<v1::RunRow> TestCollector::Runs() {
  const auto listed = collector_->ListRuns({});
  std::vector<v1::RunRow> runs;
  for (const v1::RunRow& run : listed->runs()) {
    if (run.kind() != v1::RUN_KIND_CLIENTS) runs.insert(runs.begin(), run);
  }
  return runs;
}

v1::RunRow TestCollector::LastRun() {
  const std::vector<v1::RunRow> runs = Runs();
  EXPECT_FALSE(runs.empty());
  return runs.empty() ? v1::RunRow() : runs.back();
}

size_t CountRows(const TestContent& store, std::string_view prefix) {
  return store.meta->Scan({.prefix = std::string(prefix), .limit = 1'000'000})->size();
}

std::vector<std::string> ItemsOf(const v1::GetPlanResponse& plan) {
  std::vector<std::string> items;
  for (const v1::PlanItem& item : plan.items()) {
    items.push_back(item.kind() + " " + item.repository() + "@" + item.digest());
  }
  return items;
}

CollectorTest::CollectorTest(CollectionTimes times) {
  store.times = times;
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
}

void CollectorTest::ExpectEmpty() const {
  for (const char* prefix : {"tag/", "tagged/", "manifest/", "content/", "holder/", "link/",
                             "linked/", "blob/", "reference/", "referrer/", "intent/", "condemned/",
                             "untagged/", "orphaned/", "trash/", "trashed/"}) {
    EXPECT_EQ(CountRows(store, prefix), 0u) << prefix;
  }
  EXPECT_THAT(store.Files("blobs"), testing::IsEmpty());
}

void CollectorTest::ExpectConsistent() const { ExpectConsistentStore(store); }

bool CollectorTest::HasBlob(const std::string& repository, const std::string& bytes) {
  return store.PullBlob(repository, Sha256(bytes)).has_value();
}

bool CollectorTest::HasManifest(const std::string& repository, const std::string& reference) {
  return store.PullManifest(repository, reference).has_value();
}

void ExpectConsistentStore(const TestContent& store) {
  EXPECT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
  std::set<std::string> named;
  const auto rows = store.meta->Scan({.prefix = std::string(keys::kBlobs), .limit = 1'000'000});
  for (const KeyValue& row : *rows) {
    named.insert(ParseRow<v1::BlobRow>(row.key, row.value)->object());
  }
  std::set<std::string> here;
  for (const auto& path : store.Files("blobs")) {
    here.insert(path.lexically_relative(store.root / "blobs").native());
  }
  EXPECT_EQ(named.size(), here.size());
  for (const std::string& object : here) {
    const bool known =
        std::ranges::any_of(named, [&](const std::string& name) { return name.ends_with(object); });
    EXPECT_TRUE(known) << "no row names the object " << object;
  }
}

}  // namespace outport::store
