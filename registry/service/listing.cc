#include "registry/service/listing.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace outport {
namespace {

constexpr size_t kNamesPerScan = 256;
constexpr size_t kMaxScannedReferrers = 4096;
constexpr size_t kMaxScannedBytes = 32 << 20;
constexpr size_t kIndexBytes = 512;  // the most JSON around the descriptors
constexpr size_t kMemberBytes = 8;   // the JSON around a member's name and value

// The maximum size of `text` in a JSON string.
size_t JsonBytes(std::string_view text) {
  size_t bytes = 0;
  for (const char c : text) {
    const bool control = static_cast<unsigned char>(c) < 0x20;
    bytes += control ? 6 : (c == '"' || c == '\\') ? 2 : 1;
  }
  return bytes;
}

// The maximum size of a referrer's descriptor in the JSON index.
size_t JsonBytes(const ReferrerInfo& info) {
  constexpr size_t kFixed = 160;  // braces, the names of the members, the size
  size_t bytes = kFixed + info.digest.ToString().size() + JsonBytes(info.media_type) +
                 JsonBytes(info.artifact_type);
  for (const auto& [key, value] : info.annotations) {
    bytes += JsonBytes(key) + JsonBytes(value) + kMemberBytes;
  }
  return bytes;
}

}  // namespace

Result<Page> ListVisible(const Visible& visible, const PageRequest& page, const NameScan& scan,
                         size_t most_read) {
  Page found;
  for (const NameRange& range : visible.ranges()) {
    const bool inside = page.last.starts_with(range.prefix);
    const bool passed = inside ? range.exact : page.last > range.prefix;
    if (passed) continue;
    for (std::string after = inside ? page.last : "";;) {
      // The exact name sorts before all other names with this prefix, so one name is enough.
      const size_t batch = std::min(range.exact ? 1 : kNamesPerScan, most_read);
      if (batch == 0) return found;
      most_read -= batch;
      TRY(const std::vector<std::string> names, scan(range.prefix, after, batch));
      for (const std::string& text : names) {
        if (range.exact && text != range.prefix) continue;
        TRY(const RepositoryName name, RepositoryName::Parse(text));
        if (!visible(name)) continue;
        if (found.items.size() == page.limit) {
          found.more = true;
          return found;
        }
        found.items.push_back(text);
      }
      if (range.exact || names.size() < batch) break;
      after = names.back();
    }
  }
  return found;
}

Result<ReferrersPage> PageOfReferrers(const std::string& artifact_type, const PageRequest& page,
                                      const ReferrerScan& scan) {
  ReferrersPage found;
  std::string last = page.last;  // the digest of the last scanned referrer
  size_t page_bytes = kIndexBytes;
  size_t scanned = 0;
  size_t scanned_bytes = 0;
  for (;;) {
    TRY(std::vector<ReferrerInfo> referrers, scan(last));
    if (referrers.empty()) return found;
    for (ReferrerInfo& info : referrers) {
      if (scanned == kMaxScannedReferrers || scanned_bytes > kMaxScannedBytes) {
        found.next = last;
        return found;
      }
      const size_t bytes = JsonBytes(info);
      ++scanned;
      scanned_bytes += bytes;
      std::string digest = info.digest.ToString();
      if (artifact_type.empty() || info.artifact_type == artifact_type) {
        const bool full = found.items.size() == page.limit ||
                          (!found.items.empty() && page_bytes + bytes > kMaxManifestBytes);
        if (full) {
          found.next = last;
          return found;
        }
        page_bytes += bytes;
        found.items.push_back(std::move(info));
      }
      last = std::move(digest);
    }
  }
}

}  // namespace outport
