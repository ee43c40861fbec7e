#pragma once

#include <functional>
#include <string>
#include <vector>

#include "registry/service/registry.h"

// Pages, by the same rules at the store and at a node, out of rows that either of them reads. All
// of this blocks where reading does.
namespace outport {

// The names that begin with `prefix` and are greater than `after`, in byte order, at most `limit`.
using NameScan = std::function<Result<std::vector<std::string>>(
    const std::string& prefix, const std::string& after, size_t limit)>;

// The repositories behind page.last that `visible` accepts. Reads only where they can lie; gives up
// after `most_read` names.
Result<Page> ListVisible(const Visible& visible, const PageRequest& page, const NameScan& scan,
                         size_t most_read = SIZE_MAX);

// Referrers behind the one whose digest is `after` (empty: from the first), in byte order of the
// digests; none only behind the last.
using ReferrerScan = std::function<Result<std::vector<ReferrerInfo>>(const std::string& after)>;

// How many bytes of referrers a scan should read at a time.
inline constexpr size_t kReferrerScanBytes = 1 << 20;

// The page of those of `artifact_type`, or of all if it is empty. As JSON it takes at most
// kMaxManifestBytes, unless one referrer alone takes more. However rare the type is, a page reads
// no more than some thousands of rows: it is short then, and `next` tells where it stopped.
Result<ReferrersPage> PageOfReferrers(const std::string& artifact_type, const PageRequest& page,
                                      const ReferrerScan& scan);

}  // namespace outport
