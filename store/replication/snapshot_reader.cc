#include "store/replication/snapshot_reader.h"

#include <array>
#include <utility>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/replication/resolve.h"

namespace outport::store {
namespace {

// A part ends with the row that exceeds one of these limits. Most rows have less than 1 KiB; a user
// with many grants has about 30 KiB, a referrer up to 4 MiB.
constexpr size_t kRowsInPart = 256;
constexpr size_t kBytesInPart = 256 << 10;

// Splits a name at the separator, into a repository and a tag or digest.
std::pair<std::string, std::string> SplitName(std::string_view name) {
  const size_t at = name.find(keys::kSeparator);
  if (at == std::string_view::npos) return {std::string(name), {}};
  return {std::string(name.substr(0, at)), std::string(name.substr(at + 1))};
}

bool FillUser(std::string_view, const std::string& value, v1::Change& change) {
  return change.mutable_user_set()->ParseFromString(value);
}

bool FillGrants(std::string_view, const std::string& value, v1::Change& change) {
  return change.mutable_grants_set()->ParseFromString(value);
}

bool FillRevocation(std::string_view, const std::string& value, v1::Change& change) {
  return change.mutable_revoked()->ParseFromString(value);
}

bool FillTrust(std::string_view, const std::string& value, v1::Change& change) {
  return change.mutable_trust()->ParseFromString(value);
}

bool FillRepository(std::string_view name, const std::string& value, v1::Change& change) {
  change.mutable_repository()->set_repository(std::string(name));
  return change.mutable_repository()->mutable_row()->ParseFromString(value);
}

bool FillManifest(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_manifest_put();
  std::tie(*row.mutable_repository(), *row.mutable_digest()) = SplitName(name);
  const bool parsed = row.mutable_row()->ParseFromString(value);
  row.mutable_row()->clear_lease_until_ms();
  return parsed;
}

bool FillLink(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_link();
  std::tie(*row.mutable_repository(), *row.mutable_digest()) = SplitName(name);
  v1::LinkRow stored;
  const bool parsed = stored.ParseFromString(value);
  row.mutable_row()->set_size_bytes(stored.size_bytes());  // the other fields are the collector's
  return parsed;
}

bool FillReferrer(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_referrer_set();
  std::string digests;
  std::tie(*row.mutable_repository(), digests) = SplitName(name);
  std::tie(*row.mutable_subject(), *row.mutable_digest()) = SplitName(digests);
  return row.mutable_row()->ParseFromString(value);
}

bool FillTag(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_tag_set();
  std::tie(*row.mutable_repository(), *row.mutable_tag()) = SplitName(name);
  return row.mutable_row()->ParseFromString(value);
}

// Returns whether the snapshot must contain the row. A snapshot omits a row that the node must not
// have.
bool IsPresent(const v1::Change& row) {
  return !row.has_user_deleted() && !(row.has_grants_set() && row.grants_set().grants().empty());
}

struct Section {
  std::string_view prefix;
  bool (*fill)(std::string_view name, const std::string& value, v1::Change& change);
};

// Revocations come first, because nodes apply them at once.
constexpr std::array kSections = {
    Section{keys::kRevocations, FillRevocation},
    Section{keys::kUsers, FillUser},
    Section{keys::kGrants, FillGrants},
    Section{keys::kTrust, FillTrust},
    Section{keys::kRepositories, FillRepository},
    Section{keys::kManifests, FillManifest},
    Section{keys::kReferrers, FillReferrer},
    Section{keys::kLinks, FillLink},
    Section{keys::kTags, FillTag},
};

}  // namespace

SnapshotReader::SnapshotReader(std::unique_ptr<MetaView> view, std::string epoch,
                               LogPosition position, NodeScope scope)
    : view_(std::move(view)),
      epoch_(std::move(epoch)),
      position_(position),
      scope_(std::move(scope)) {}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::Open(MetaStore& meta, std::string epoch,
                                                             NodeScope scope) {
  std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const LogPosition head, view->Head());
  return std::unique_ptr<SnapshotReader>(
      new SnapshotReader(std::move(view), std::move(epoch), head, std::move(scope)));
}

Result<v1::StoreMessage::SnapshotPart> SnapshotReader::Next() {
  const auto left = [this] { return section_ < kSections.size(); };
  std::vector<KeyValue> rows;
  while (left()) {
    TRY(rows, view_->Scan({.prefix = std::string(kSections[section_].prefix),
                           .after = after_,
                           .limit = kRowsInPart,
                           .limit_bytes = kBytesInPart}));
    if (!rows.empty()) break;
    after_.clear();
    ++section_;
  }
  v1::StoreMessage::SnapshotPart part;
  *part.mutable_position() = ToPosition(epoch_, position_);
  part.set_last(!left());
  for (const KeyValue& row : rows) {
    const Section& section = kSections[section_];
    v1::Change change;
    if (!section.fill(keys::After(row.key, section.prefix), row.value, change)) {
      return Error{ErrorCode::kCorrupt,
                   "reading a snapshot: the row '" + Printable(row.key) + "' is corrupt"};
    }
    after_ = row.key;
    TRY(auto visible, scope_.Filter(std::move(change), *view_));
    if (visible.has_value() && IsPresent(*visible)) *part.add_rows() = *std::move(visible);
  }
  return part;
}

}  // namespace outport::store
