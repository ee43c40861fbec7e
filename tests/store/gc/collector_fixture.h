#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "store/gc/collector.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"

namespace outport::store {

inline const Actor kAdministrator{.kind = "administrator", .name = "root"};

// A collector over a store's content. Tests run its steps themselves.
class TestCollector {
 public:
  // What the collector uses instead of the stores of the content.
  struct Devices {
    MetaStore* meta = nullptr;
    BlobStore* bytes = nullptr;
    SpaceDemand* demand = nullptr;
    Log log = Log::Nowhere();
    std::function<Result<void>()> flush_pulls = [] { return Result<void>(); };
  };
  // Uses the open content of `store`, with its times. An interval in the limits that is not the
  // default stays.
  explicit TestCollector(TestContent& store, Collector::Limits limits = {});
  TestCollector(TestContent& store, Collector::Limits limits, const Devices& devices);
  ~TestCollector();

  // Runs steps until the collector has nothing to do. A failed step fails the test.
  void Work();
  // Runs one step. Returns false if the step found nothing to do.
  bool Step();
  // Advances the clock, and then works.
  void WorkAfter(std::chrono::milliseconds time);

  // The requests of an administrator.
  void Pause();
  void Resume();
  // Acquires the lease and pauses, so that what is due stays for a plan.
  void StepAndPause();
  v1::GetPlanResponse Plan(bool delete_untagged = false, const std::string& repositories = "");
  // Starts the run of this plan. Needs the lease.
  Result<v1::RunRow> StartPlan(const std::string& plan);
  // Works until this run has ended, and returns its row.
  v1::RunRow Finish(const Result<v1::RunRow>& started);
  // Starts a run, works until it has ended, and returns its row.
  v1::RunRow Run(const v1::StartRunRequest& request);
  v1::RunRow RunUntagged();
  v1::RunRow Undo(const std::string& run);
  // Returns the runs of the collector, without the runs of clients; the oldest first.
  std::vector<v1::RunRow> Runs();
  v1::RunRow LastRun();

  // The nodes whose report of recent pulls is missing.
  std::vector<std::string> nodes_without_report;

  Collector& operator*() { return *collector_; }
  Collector* operator->() { return collector_.get(); }

 private:
  TestContent& store_;
  std::unique_ptr<Collector> collector_;
};

// Returns the number of rows with this prefix.
size_t CountRows(const TestContent& store, std::string_view prefix);
// Returns the texts "kind repository@digest" of the items.
std::vector<std::string> ItemsOf(const v1::GetPlanResponse& plan);

// A store whose content goes at once: without grace, lease and trash.
inline constexpr CollectionTimes kAtOnce{.grace = std::chrono::milliseconds(0),
                                         .lease = std::chrono::milliseconds(0),
                                         .trash = std::chrono::milliseconds(0)};

// A fixture with a store of these times and a collector.
class CollectorTest : public testing::Test {
 protected:
  explicit CollectorTest(CollectionTimes times = {});

  // The store has no content at all, and no trace of any.
  void ExpectEmpty() const;
  // Rows and back references agree, and so do rows and files.
  void ExpectConsistent() const;
  bool HasBlob(const std::string& repository, const std::string& bytes);
  bool HasManifest(const std::string& repository, const std::string& reference);

  TestContent store;
  std::unique_ptr<TestCollector> collector;
};

// Checks that rows and back references agree, and that the files of blobs are those that rows name.
void ExpectConsistentStore(const TestContent& store);

}  // namespace outport::store
