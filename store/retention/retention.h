#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "outport/v1/retention.pb.h"
#include "registry/base/awaitable.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/content/collection.h"
#include "store/gc/collector.h"
#include "store/gc/recent_plans.h"
#include "store/retention/list_part.h"
#include "store/retention/policy_cache.h"
#include "store/retention/retention_planner.h"
#include "store/retention/schedule.h"
#include "store/work/store_clock.h"

namespace outport {
class BlockingPool;
}

namespace outport::store {

// The policies of retention, their plans and their runs. A run is a job of the collector, so there
// is one run at a time, and 'gc undo' undoes it. Every method but Warnings() blocks. RunIfDue() is
// for one thread at a time; the other methods are safe for several threads.
class Retention {
 public:
  // The referenced objects outlive this object.
  struct Parts {
    MetaStore& meta;
    const Clock& clock;
    const StoreClock& store_clock;
    CollectionTimes times = {};
    Collector& collector;
    Log log;
    // Returns the nodes whose report of recent pulls is missing.
    std::function<Result<std::vector<std::string>>()> nodes_without_report = [] {
      return std::vector<std::string>();
    };
  };
  explicit Retention(Parts parts);

  // kInvalidArgument with one line for each problem of the file.
  Result<v1::AppliedPolicies> Apply(const v1::ApplyPoliciesRequest& request, const Actor& by);
  Result<v1::AppliedPolicies> Get() const;
  // Makes a plan, or returns the next page of one. kFailedPrecondition if the store does not
  // remember that part of the list, and the plan no longer holds.
  Result<v1::RetentionPlan> GetPlan(const v1::GetRetentionPlanRequest& request);
  // kFailedPrecondition if the plan no longer holds, if a report of pulls is missing that a policy
  // needs, or if the collector starts no run (Collector::StartRun()).
  Result<v1::RunRow> StartRun(const v1::StartRetentionRequest& request, const Actor& by);

  // Calls RunIfDue() on the pool every half minute, until the coroutine is cancelled.
  Awaitable<void> RunWhenDueUntilCancelled(BlockingPool& pool);
  // Starts the scheduled run if its time has come: RetentionSchedule::RunIfDue().
  void RunIfDue();
  // Returns the warnings about the schedule, as of the last RunIfDue(). Does not block.
  std::vector<std::string> Warnings() const { return schedule_.Warnings(); }

 private:
  // The policies, compiled, and a text that names exactly them.
  struct Compiled {
    std::shared_ptr<const PolicySet> set;  // shared with the cache
    std::string text;
  };
  struct Named {
    DropPlan plan;
    std::string name;
  };
  Result<Compiled> Compile() const;
  Result<Named> Make(const MetaView& view, const Compiled& compiled, const v1::PlanOptions& options,
                     int64_t as_of_ms) const;
  Result<Named> MakeAgain(const MetaView& view, const Compiled& compiled,
                          const std::string& name) const;
  Result<std::vector<std::string>> MissingReports(const DropPlan& plan,
                                                  const v1::PlanOptions& options) const;
  Result<void> AddTotals(const Named& made, const v1::PlanOptions& options,
                         v1::RetentionPlan& response) const;
  static Result<std::shared_ptr<const FreedByItem>> CountFreed(const MetaView& view,
                                                               const DropPlan& plan,
                                                               v1::RetentionPlan& response);
  Result<std::shared_ptr<const ListedPlan>> List(const v1::GetRetentionPlanRequest& request,
                                                 const ListedPlan* known,
                                                 v1::RetentionPlan& response) const;
  // Also says what the run leaves out.
  Result<std::unique_ptr<Job>> MakeJob(const CollectorParts& work,
                                       const v1::StartRetentionRequest& request, const Actor& by,
                                       const RetentionSchedule::Begin& begin,
                                       RetentionSchedule::Started& started) const;
  Result<RetentionSchedule::Started> Start(const v1::StartRetentionRequest& request,
                                           const Actor& by, const RetentionSchedule::Begin& begin);

  const Parts parts_;
  RecentPlans<ListedPlan> recent_{ListedPlan::kMaxEntries};
  mutable PolicyCache policies_;
  RetentionSchedule schedule_;
};

}  // namespace outport::store
