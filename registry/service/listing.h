#pragma once

#include <functional>
#include <string>
#include <vector>

#include "registry/service/registry.h"

// Pages of lists. The store and the nodes build pages by the same rules. A function here blocks if
// its `scan` blocks.
namespace outport {

// Reads at most `limit` names that begin with `prefix` and are greater than `after`, in byte order.
using NameScan = std::function<Result<std::vector<std::string>>(
    const std::string& prefix, const std::string& after, size_t limit)>;

// Lists the repositories after page.last that `visible` accepts. Scans only the ranges of
// `visible`, and stops after `most_read` names.
Result<Page> ListVisible(const Visible& visible, const PageRequest& page, const NameScan& scan,
                         size_t most_read = SIZE_MAX);

// Reads some of the referrers after the digest `after`, in byte order of the digests. If `after` is
// empty, starts with the first referrer. Returns an empty list only at the end.
using ReferrerScan = std::function<Result<std::vector<ReferrerInfo>>(const std::string& after)>;

// The number of bytes of referrers that one call of a ReferrerScan should read.
inline constexpr size_t kReferrerScanBytes = 1 << 20;

// Returns a page of the referrers of type `artifact_type`, or of all referrers if `artifact_type`
// is empty. As JSON, the page has at most kMaxManifestBytes, unless a single referrer has more. One
// call scans at most some thousand rows. So the page of a rare type may have few items, and its
// `next` says where the scan stopped.
Result<ReferrersPage> PageOfReferrers(const std::string& artifact_type, const PageRequest& page,
                                      const ReferrerScan& scan);

}  // namespace outport
