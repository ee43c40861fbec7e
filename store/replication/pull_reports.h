#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/replication.pb.h"
#include "registry/base/result.h"
#include "registry/security/grants/node_permissions.h"
#include "registry/storage/meta_store.h"
#include "store/content/pull_flush.h"

namespace outport::store {

// The most pulls in one report.
inline constexpr int kMaxReportedPulls = 5000;
// A connected node has reported all pulls that are older than this. It reports at least every ten
// minutes.
inline constexpr std::chrono::minutes kReportedWithin{15};

// Records the pulls of a node's clients, and how far the node has reported. Drops pulls in
// repositories that the node may not pull from, pulls of content that the store does not have, and
// malformed ones. A time in the future counts as `now_ms`, the time of the store clock.
// kInvalidArgument if the report has too many pulls. Blocks.
Result<v1::ReportPullsResponse> RecordReport(MetaStore& meta, const std::string& node,
                                             const NodePermissions& permissions,
                                             const v1::ReportPullsRequest& report, int64_t now_ms,
                                             const PullMetrics& metrics);

// Returns the nodes of the fleet that have not reported all pulls before `since_ms`, in order of
// their names. Also a node whose clients pull nothing reports, every ten minutes. Blocks.
Result<std::vector<std::string>> NodesWithoutReport(const MetaView& meta, int64_t since_ms);

}  // namespace outport::store
