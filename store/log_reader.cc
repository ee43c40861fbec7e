#include "store/log_reader.h"

#include <utility>

#include "registry/base/bytes.h"

namespace outport::store {
namespace {

constexpr size_t kChangesInBatch = 512;
// Small enough that pongs between them come in time over a slow line.
constexpr size_t kBytesInBatch = 64 << 10;

// A batch with nothing in it.
v1::StoreMessage::Batch& Begin(const LogPosition& from, const LogPosition& to,
                               v1::StoreMessage& message) {
  v1::StoreMessage::Batch& batch = *message.mutable_batch();
  batch.set_from(from.sequence);
  batch.set_to(to.sequence);
  batch.set_hash(std::string(AsText(to.hash)));
  return batch;
}

}  // namespace

Result<bool> HasPoint(const MetaStore& meta, const std::string& epoch, const v1::Position& point) {
  if (point.epoch() != epoch) return false;
  if (point.sequence() == 0) return AsText(LogPosition().hash) == point.hash();
  TRY(const auto records, meta.ReadLog(point.sequence(), 1, 1));
  return !records.empty() && records.front().position.sequence == point.sequence() &&
         AsText(records.front().position.hash) == point.hash();
}

Result<std::vector<v1::StoreMessage>> LogReader::Next() {
  TRY(const auto records, meta_.ReadLog(at_.sequence + 1, kChangesInBatch, kBytesInBatch));
  if (records.empty() || records.front().position.sequence != at_.sequence + 1) {
    return Error{ErrorCode::kCorrupt, "reading the change log: record " +
                                          std::to_string(at_.sequence + 1) + " is missing"};
  }
  std::vector<v1::StoreMessage> messages;
  v1::StoreMessage last;
  v1::StoreMessage::Batch& batch = Begin(at_, records.back().position, last);
  batch.set_partial(!scope_.everything());
  for (const LogRecord& record : records) {
    v1::Change change;
    if (!change.ParseFromString(record.record)) {
      return Error{ErrorCode::kCorrupt, "reading the change log: record " +
                                            std::to_string(record.position.sequence) +
                                            " does not parse"};
    }
    if (change.has_grants_set()) TRY_VOID(AddMembers(change, messages));
    TRY(auto told, scope_.Cut(std::move(change), meta_));
    if (told.has_value()) *batch.add_changes() = *std::move(told);
  }
  messages.push_back(std::move(last));
  at_ = records.back().position;
  return messages;
}

// With the grants of a group, its members come into the scope, or leave it. They are told first: a
// node that has the group's change has theirs.
Result<void> LogReader::AddMembers(const v1::Change& group,
                                   std::vector<v1::StoreMessage>& messages) const {
  if (scope_.everything()) return {};
  TRY(std::vector<v1::Change> members, MembersOf(group.grants_set().subject(), meta_));
  size_t room = 0;
  for (v1::Change& member : members) {
    TRY(auto told, scope_.Cut(std::move(member), meta_));
    if (!told.has_value()) continue;
    const size_t size = told->ByteSizeLong();
    if (size > room) {
      room = kBytesInBatch;
      Begin(at_, at_, messages.emplace_back()).set_partial(true);
    }
    room -= std::min(size, room);
    *messages.back().mutable_batch()->add_changes() = *std::move(told);
  }
  return {};
}

}  // namespace outport::store
