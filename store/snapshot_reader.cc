#include "store/snapshot_reader.h"

#include <array>
#include <utility>

#include "registry/storage/keys.h"
#include "store/resolve.h"

namespace outport::store {
namespace {

// A part ends with the row that passes one of these. Most rows are below 1 KiB; a user with many
// grants has some 30.
constexpr size_t kRowsInPart = 256;
constexpr size_t kBytesInPart = 256 << 10;

// What stands before and behind the separator: a repository and a tag or digest.
std::pair<std::string, std::string> SplitName(std::string_view name) {
  const size_t at = name.find(keys::kSeparator);
  if (at == std::string_view::npos) return {std::string(name), {}};
  return {std::string(name.substr(0, at)), std::string(name.substr(at + 1))};
}

bool FillUser(std::string_view, const std::string& value, v1::Change& change) {
  return change.mutable_user_set()->ParseFromString(value);
}

bool FillRepository(std::string_view name, const std::string& value, v1::Change& change) {
  change.mutable_repository()->set_repository(std::string(name));
  return change.mutable_repository()->mutable_row()->ParseFromString(value);
}

bool FillManifest(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_manifest_put();
  std::tie(*row.mutable_repository(), *row.mutable_digest()) = SplitName(name);
  return row.mutable_row()->ParseFromString(value);
}

bool FillLink(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_link();
  std::tie(*row.mutable_repository(), *row.mutable_digest()) = SplitName(name);
  return row.mutable_row()->ParseFromString(value);
}

bool FillTag(std::string_view name, const std::string& value, v1::Change& change) {
  auto& row = *change.mutable_tag_set();
  std::tie(*row.mutable_repository(), *row.mutable_tag()) = SplitName(name);
  return row.mutable_row()->ParseFromString(value);
}

struct Section {
  std::string_view prefix;
  bool (*fill)(std::string_view name, const std::string& value, v1::Change& change);
};

constexpr std::array kSections = {
    Section{keys::kUsers, FillUser},         Section{keys::kRepositories, FillRepository},
    Section{keys::kManifests, FillManifest}, Section{keys::kLinks, FillLink},
    Section{keys::kTags, FillTag},
};

}  // namespace

SnapshotReader::SnapshotReader(std::unique_ptr<MetaView> view, v1::Position position)
    : view_(std::move(view)), position_(std::move(position)) {}

Result<std::unique_ptr<SnapshotReader>> SnapshotReader::Open(MetaStore& meta, std::string epoch) {
  std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const LogPosition head, view->Head());
  return std::unique_ptr<SnapshotReader>(
      new SnapshotReader(std::move(view), ToPosition(epoch, head)));
}

Result<v1::StoreMessage::SnapshotPart> SnapshotReader::Next() {
  const Section& section = kSections[section_];
  const ScanRange range{
      .prefix = std::string(section.prefix), .after = after_, .limit = kRowsInPart};
  TRY(const std::vector<KeyValue> rows, view_->Scan(range));
  v1::StoreMessage::SnapshotPart part;
  *part.mutable_position() = position_;
  size_t taken = 0;
  for (size_t bytes = 0; taken < rows.size() && bytes < kBytesInPart; ++taken) {
    const KeyValue& row = rows[taken];
    if (!section.fill(keys::After(row.key, section.prefix), row.value, *part.add_rows())) {
      return Error{ErrorCode::kCorrupt, "reading a snapshot for a node: a row of '" +
                                            std::string(section.prefix) + "' does not parse"};
    }
    bytes += row.key.size() + row.value.size();
  }
  if (taken < rows.size() || rows.size() == kRowsInPart) {
    after_ = rows[taken - 1].key;
  } else {
    after_.clear();
    ++section_;
  }
  part.set_last(section_ == kSections.size());
  return part;
}

}  // namespace outport::store
