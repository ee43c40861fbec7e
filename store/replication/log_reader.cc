#include "store/replication/log_reader.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/bytes.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/storage/meta_log.h"

namespace outport::store {
namespace {

constexpr size_t kChangesInBatch = 512;
// A pong waits for the batch before it, so a batch must be small enough for a slow link.
constexpr size_t kBytesInBatch = 64 << 10;
constexpr std::string_view kGroup = "group:";

// Makes `message` an empty batch between the two positions, and returns the batch.
v1::StoreMessage::Batch& Begin(const LogPosition& from, const LogPosition& to,
                               v1::StoreMessage& message) {
  v1::StoreMessage::Batch& batch = *message.mutable_batch();
  batch.set_from(from.sequence);
  batch.set_to(to.sequence);
  batch.set_hash(std::string(AsText(to.hash)));
  return batch;
}

Error Missing(uint64_t sequence) {
  return Error{ErrorCode::kCorrupt,
               "reading the change log: record " + std::to_string(sequence) + " is missing"};
}

}  // namespace

Result<LogPosition> TrimmedPosition(const MetaView& meta) {
  TRY(const auto row, ReadRow<v1::ChangeLogRow>(meta, keys::kChangeLog));
  if (!row.has_value() || row->trimmed_sequence() == 0) return LogPosition();
  const auto trimmed = ToLogPosition(row->trimmed_sequence(), row->trimmed_hash());
  if (trimmed.has_value()) return *trimmed;
  return Error{ErrorCode::kCorrupt,
               "the row '" + std::string(keys::kChangeLog) + "' has an invalid hash"};
}

// Reads the row and the log from one view. Otherwise a trim between the two reads could look like
// a missing record. Does not read below the trimmed position, because the database would step over
// the deleted records.
Result<bool> HasPoint(MetaStore& meta, const std::string& epoch, const v1::Position& point) {
  if (point.epoch() != epoch) return false;
  const std::unique_ptr<MetaView> view = meta.Snapshot();
  TRY(const LogPosition trimmed, TrimmedPosition(*view));
  if (point.sequence() < trimmed.sequence) return false;
  if (point.sequence() == trimmed.sequence) return AsText(trimmed.hash) == point.hash();
  TRY(const auto records, view->ReadLog(point.sequence(), 1, 1));
  if (records.empty()) return false;
  if (records.front().position.sequence != point.sequence()) return Missing(point.sequence());
  return AsText(records.front().position.hash) == point.hash();
}

Result<void> LogReader::RequireNotTrimmed() const {
  TRY(const LogPosition trimmed, TrimmedPosition(meta_));
  if (trimmed.sequence <= at_.sequence) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the change log was trimmed up to change " + std::to_string(trimmed.sequence) +
                   ", but the node has received only change " + std::to_string(at_.sequence) +
                   "; the node reconnects and receives a snapshot"};
}

// Looks for a trim before and after it reads: before, because the database would step over all
// deleted records; after, because a trim may have come meanwhile.
Result<LogReader::Prepared> LogReader::Read() const {
  TRY_VOID(RequireNotTrimmed());
  TRY(const auto records, meta_.ReadLog(at_.sequence + 1, kChangesInBatch, kBytesInBatch));
  if (records.empty() || records.front().position.sequence != at_.sequence + 1) {
    TRY_VOID(RequireNotTrimmed());
    return Missing(at_.sequence + 1);
  }
  Prepared prepared{.message = {}, .to = records.back().position, .groups = {}, .after = {}};
  v1::StoreMessage::Batch& batch = Begin(at_, prepared.to, prepared.message);
  batch.set_partial(!scope_.everything());
  for (const LogRecord& record : records) {
    v1::Change change;
    if (!change.ParseFromString(record.record)) {
      return Error{ErrorCode::kCorrupt, "reading the change log: record " +
                                            std::to_string(record.position.sequence) +
                                            " is corrupt"};
    }
    if (change.has_grants_set() && !scope_.everything() &&
        change.grants_set().subject().starts_with(kGroup)) {
      prepared.groups.insert(change.grants_set().subject().substr(kGroup.size()));
    }
    TRY(auto visible, scope_.Filter(std::move(change), meta_));
    if (visible.has_value()) *batch.add_changes() = *std::move(visible);
  }
  return prepared;
}

// A change of a group's grants may move the group's members into the scope or out of it. Return the
// members before the change, so that a node that has the group's change also has its members.
Result<v1::StoreMessage> LogReader::Next() {
  if (!prepared_.has_value()) {
    TRY(prepared_, Read());
  }
  while (!prepared_->groups.empty()) {
    TRY(v1::StoreMessage members, NextMembers(*prepared_));
    if (!members.batch().changes().empty()) return members;
  }
  at_ = prepared_->to;
  v1::StoreMessage message = std::move(prepared_->message);
  prepared_.reset();
  return message;
}

Result<v1::StoreMessage> LogReader::NextMembers(Prepared& prepared) const {
  const std::string& group = *prepared.groups.begin();
  v1::StoreMessage message;
  v1::StoreMessage::Batch& batch = Begin(at_, at_, message);
  batch.set_partial(true);
  TRY(const std::vector<KeyValue> rows, meta_.Scan({.prefix = std::string(keys::kUsers),
                                                    .after = prepared.after,
                                                    .limit = kChangesInBatch,
                                                    .limit_bytes = kBytesInBatch}));
  for (const KeyValue& pair : rows) {
    v1::Change member;
    TRY(*member.mutable_user_set(), ParseRow<v1::UserRow>(pair.key, pair.value));
    prepared.after = pair.key;
    const auto& groups = member.user_set().groups();
    if (std::ranges::find(groups, group) == groups.end()) continue;
    TRY(auto visible, scope_.Filter(std::move(member), meta_));
    if (visible.has_value()) *batch.add_changes() = *std::move(visible);
  }
  if (rows.empty()) {
    prepared.groups.erase(prepared.groups.begin());
    prepared.after.clear();
  }
  return message;
}

}  // namespace outport::store
