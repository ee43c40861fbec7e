#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "store/audit/auditor.h"
#include "store/gc/parts.h"

namespace outport::store {

// A run in progress. Each transaction of the run also writes the run's row, so the counts in the
// row are exact at any moment, also after a kill of the process. For one thread at a time; every
// method but those that return members blocks.
class ActiveRun {
 public:
  // A part of a transaction. It updates the counts in the row that it gets, and may run several
  // times.
  using Work = std::function<Result<void>(MetaTransaction&, v1::RunRow&)>;

  // Writes the row of a new run, which has `row` without id, state and times. An administrator's
  // run gets an audit entry. `also` is part of the same transaction; null: nothing.
  static Result<std::unique_ptr<ActiveRun>> Begin(const CollectorParts& parts, v1::RunRow row,
                                                  Actor by, const Work& also = nullptr);
  // Continues a run of the collector whose row has this content. Clears its end.
  static Result<std::unique_ptr<ActiveRun>> Continue(const CollectorParts& parts, v1::RunRow row);
  // Begins the undo of a run, and adds an audit entry; or goes on with an undo that another process
  // began.
  // kFailedPrecondition if the run is in progress, if its trash is freed, or if an earlier undo has
  // restored everything.
  static Result<std::unique_ptr<ActiveRun>> BeginUndo(const CollectorParts& parts,
                                                      const std::string& id, Actor by);

  const std::string& id() const { return row_.id(); }
  const v1::RunRow& row() const { return row_; }
  const Auditor& auditor() const { return auditor_; }

  // Runs `work` in a transaction and commits. kFailedPrecondition if the collector's lease is lost;
  // then nothing has changed.
  Result<void> Transact(const Work& work);

  // These two methods do the same as part of a transaction that another class runs. Write() is the
  // part of `transaction`; it may run several times. Call Committed() after the commit.
  Result<void> Write(MetaTransaction& transaction, const Work& work);
  void Committed() { row_ = next_; }

  // Logs a corrupt row because of which a manifest or a link stays: the first kMaxSkippedRows
  // different ones. Counts the others, up to kMaxCountedRows; End() logs the count. Does not block.
  void Skip(const Error& why);
  static constexpr size_t kMaxCountedRows = 10'000;

  // Ends the run. `failure` is empty unless the state is FAILED.
  Result<void> End(v1::RunState state, const std::string& failure = {});

 private:
  Result<void> RequireMine(MetaTransaction& transaction) const;
  ActiveRun(const CollectorParts& parts, v1::RunRow row, Actor by)
      : parts_(parts), row_(std::move(row)), auditor_(std::move(by), parts.clock) {}

  const CollectorParts& parts_;
  v1::RunRow row_;   // as committed
  v1::RunRow next_;  // what the transaction in progress writes
  const Auditor auditor_;
  std::set<std::string> skipped_;  // the messages of Skip()
};

}  // namespace outport::store
