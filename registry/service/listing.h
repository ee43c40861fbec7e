#pragma once

#include <functional>
#include <string>
#include <vector>

#include "registry/service/registry.h"

// Pages of lists, by the same rules at the store and at a node. The functions block if their scan
// blocks.
namespace outport {

// Reads at most `limit` names that begin with `prefix` and are greater than `after`, in byte order.
using NameScan = std::function<Result<std::vector<std::string>>(
    const std::string& prefix, const std::string& after, size_t limit)>;

// Lists the repositories after page.last that `visible` accepts. Scans only the ranges of
// `visible`, and stops after `most_read` names.
Result<Page> ListVisible(const Visible& visible, const PageRequest& page, const NameScan& scan,
                         size_t most_read = SIZE_MAX);

// Reads some referrers after the digest `after` (empty: from the first), in byte order of the
// digests. Returns none only at the end.
using ReferrerScan = std::function<Result<std::vector<ReferrerInfo>>(const std::string& after)>;

// The bytes of referrers that a scan should read at a time.
inline constexpr size_t kReferrerScanBytes = 1 << 20;

// Returns a page of the referrers of `artifact_type`, or of all if that is empty. As JSON, the page
// has at most kMaxManifestBytes, unless a single referrer has more. A page scans at most some
// thousand rows: for a rare type it has few items, and `next` is where the scan stopped.
Result<ReferrersPage> PageOfReferrers(const std::string& artifact_type, const PageRequest& page,
                                      const ReferrerScan& scan);

}  // namespace outport
