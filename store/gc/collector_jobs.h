#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "store/gc/active_run.h"
#include "store/gc/parts.h"
#include "store/gc/plan.h"
#include "store/gc/undo.h"

namespace outport::store {

// The time of one step that makes many transactions. The step ends when it is over, and the next
// one goes on, so that the lease is renewed in time.
class StepTime {
 public:
  static constexpr std::chrono::seconds kMost{5};

  // `clock` outlives this object.
  explicit StepTime(const Clock& clock) : clock_(clock), began_(clock.SinceBoot()) {}
  bool IsOver() const { return clock_.SinceBoot() - began_ >= kMost; }

 private:
  const Clock& clock_;
  const std::chrono::nanoseconds began_;
};

// Work that an administrator requested. The collector runs one job at a time, step by step. For one
// thread at a time; blocks.
class Job {
 public:
  virtual ~Job() = default;
  virtual const std::string& run() const = 0;  // its id
  // Does a bounded part of the work, and returns the number of items that it looked at. 0: the job
  // is complete, and its run has ended.
  virtual Result<uint64_t> Step() = 0;
  // Ends the run as failed.
  virtual Result<void> Fail(const Error& why) = 0;
  // Whether the job only restores content, so that it also runs while the collector is paused.
  virtual bool restores() const { return false; }
};

// Removes exactly the items of a plan that are still unreferenced when their turn comes. The run
// counts the others: `gone` are removed already, and `kept` are in use again or wait, for example
// because the clock has just stepped.
class PlannedJob final : public Job {
 public:
  PlannedJob(const CollectorParts& parts, std::unique_ptr<ActiveRun> run,
             std::vector<PlannedItem> items)
      : parts_(parts), run_(std::move(run)), items_(std::move(items)) {}
  const std::string& run() const override { return run_->id(); }
  Result<uint64_t> Step() override;
  Result<void> Fail(const Error& why) override;

 private:
  Result<void> RemoveManifest(const ContentKey& content);

  const CollectorParts& parts_;
  const std::unique_ptr<ActiveRun> run_;
  const std::vector<PlannedItem> items_;  // first the links
  size_t next_ = 0;
};

// Removes everything that is due in the repositories of a glob: first manifests, if the run deletes
// untagged ones, then links. A child of an index that the run removes becomes a candidate, and goes
// in the same run only if the grace period is zero.
class SweepJob final : public Job {
 public:
  SweepJob(const CollectorParts& parts, std::unique_ptr<ActiveRun> run)
      : parts_(parts), run_(std::move(run)), manifests_(run_->row().delete_untagged()) {}
  const std::string& run() const override { return run_->id(); }
  Result<uint64_t> Step() override;
  Result<void> Fail(const Error& why) override;

 private:
  Result<uint64_t> SweepManifests();
  Result<uint64_t> SweepLinks();

  const CollectorParts& parts_;
  const std::unique_ptr<ActiveRun> run_;
  bool manifests_;        // whether manifests are still to sweep
  int passes_ = 0;        // over the candidates
  bool removed_ = false;  // this pass has removed a manifest
  std::string after_;     // the key of the last row that was read
};

class UndoJob final : public Job {
 public:
  UndoJob(const CollectorParts& parts, std::unique_ptr<ActiveRun> run)
      : undo_(parts, std::move(run)) {}
  const std::string& run() const override { return undo_.run(); }
  Result<uint64_t> Step() override { return undo_.Step(); }
  Result<void> Fail(const Error& why) override { return undo_.Fail(why); }
  bool restores() const override { return true; }

 private:
  Undo undo_;
};

}  // namespace outport::store
