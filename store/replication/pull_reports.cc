#include "store/replication/pull_reports.h"

#include <algorithm>
#include <utility>

#include "outport/v1/collection.pb.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"
#include "store/content/pulls.h"

namespace outport::store {
namespace {

int64_t TimeOf(int64_t age_ms, int64_t now_ms) {
  return now_ms - std::clamp<int64_t>(age_ms, 0, now_ms);
}

// The time never goes back. A node that was removed meanwhile leaves no row.
Result<void> RecordComplete(MetaStore& meta, const std::string& node, int64_t until_ms) {
  auto record = [&](MetaTransaction& transaction) -> Result<void> {
    const std::string key = keys::NodeReport(node);
    TRY(const auto old, LockRow<v1::NodeReportRow>(transaction, key));
    TRY(const bool member, HasRow(transaction, keys::Node(node)));
    if (!member || (old.has_value() && old->complete_until_ms() >= until_ms)) return {};
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);  // as for the pulls
    v1::NodeReportRow row;
    row.set_complete_until_ms(until_ms);
    return WriteRow(transaction, key, row);
  };
  TRY_VOID(Transact(meta, record));
  return {};
}

}  // namespace

Result<v1::ReportPullsResponse> RecordReport(MetaStore& meta, const std::string& node,
                                             const NodePermissions& permissions,
                                             const v1::ReportPullsRequest& report, int64_t now_ms,
                                             const PullMetrics& metrics) {
  if (report.pulls_size() > kMaxReportedPulls) {
    return Error{ErrorCode::kInvalidArgument,
                 "a report has at most " + std::to_string(kMaxReportedPulls) +
                     " pulls, but this one has " + std::to_string(report.pulls_size())};
  }
  std::vector<Pull> pulls;
  pulls.reserve(static_cast<size_t>(report.pulls_size()));
  uint64_t not_permitted = 0;
  for (const v1::ReportPullsRequest::Pull& pull : report.pulls()) {
    auto repository = RepositoryName::Parse(pull.repository());
    auto reference = ParseReference(pull.reference());
    if (!repository.has_value() || !reference.has_value() ||
        !permissions.Allows(Action::kPull, *repository)) {
      ++not_permitted;
      continue;
    }
    pulls.push_back({*std::move(repository), *std::move(reference), TimeOf(pull.age_ms(), now_ms)});
  }
  // Synced, because the node deletes what the store acknowledges.
  TRY(const WrittenPulls written,
      WritePulls(meta, std::move(pulls), node, MetaTransaction::Durability::kSynced));
  if (report.complete()) {
    TRY_VOID(RecordComplete(meta, node, TimeOf(report.complete_age_ms(), now_ms)));
  }
  metrics.written.Increment(static_cast<double>(written.rows));
  metrics.unknown.Increment(static_cast<double>(written.unknown));
  metrics.not_permitted.Increment(static_cast<double>(not_permitted));
  v1::ReportPullsResponse response;
  response.set_dropped(written.unknown + not_permitted);
  return response;
}

Result<std::vector<std::string>> NodesWithoutReport(const MetaView& meta, int64_t since_ms) {
  std::vector<std::string> nodes;
  auto see = [&](const v1::NodeRow& member) -> Result<void> {
    TRY(const auto report, ReadRow<v1::NodeReportRow>(meta, keys::NodeReport(member.name())));
    if (!report.has_value() || report->complete_until_ms() < since_ms) {
      nodes.push_back(member.name());
    }
    return {};
  };
  TRY_VOID(ForEachRow<v1::NodeRow>(meta, keys::kNodes, see));
  return nodes;
}

}  // namespace outport::store
