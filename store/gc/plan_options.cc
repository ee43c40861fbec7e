#include "store/gc/plan_options.h"

#include <chrono>
#include <string>

#include "registry/records/rows.h"
#include "store/content/tag_rules.h"

namespace outport::store {
namespace {

constexpr int kMaxIgnoredNodes = 1000;
constexpr std::chrono::milliseconds kMaxWithin = std::chrono::hours(24 * 366);
constexpr size_t kMaxShownBytes = 300;  // of an option, in an error

}  // namespace

Result<void> CheckPlanOptions(const v1::PlanOptions& options) {
  const std::string& glob = options.repositories();
  if (!glob.empty() && !IsRepositoryPattern(glob)) return InvalidRepositoryPattern(glob);
  if (options.ignore_nodes_size() > kMaxIgnoredNodes) {
    return Error{ErrorCode::kInvalidArgument,
                 "more than " + std::to_string(kMaxIgnoredNodes) + " nodes to ignore"};
  }
  if (options.within_ms() < 0 || options.within_ms() > kMaxWithin.count()) {
    return Error{ErrorCode::kInvalidArgument, "--within is a time from 0s to 8784h (366 days)"};
  }
  return {};
}

Result<void> CheckRunnable(const v1::PlanOptions& options) {
  if (options.within_ms() == 0) return {};
  return Error{ErrorCode::kInvalidArgument,
               "a plan with --within cannot be run: links that are not due stay, and the collector "
               "removes them when they are due; 'outportctl gc plan' without --within makes a plan "
               "that can be run"};
}

Result<void> CheckNewPlanOptions(const MetaView& meta, const v1::PlanOptions& options) {
  TRY_VOID(CheckPlanOptions(options));
  for (const std::string& node : options.ignore_nodes()) {
    const std::string shown = node.substr(0, kMaxShownBytes);
    TRY(const bool exists, HasRow(meta, keys::Node(shown)));
    if (exists) continue;
    return Error{ErrorCode::kNotFound, "there is no node '" + shown +
                                           "' to ignore; 'outportctl node list' shows the "
                                           "nodes"};
  }
  return {};
}

}  // namespace outport::store
