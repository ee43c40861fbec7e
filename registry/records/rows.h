#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/records/keys.h"
#include "registry/storage/meta_store.h"

// Reads and writes the rows of a MetaStore as messages of record.proto.
namespace outport {

// Returns `key` for logs and errors: each NUL is replaced by a space.
std::string Printable(std::string_view key);

template <class Row>
Result<Row> ParseRow(std::string_view key, std::string_view value) {
  Row row;
  if (!row.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
    return Error{ErrorCode::kCorrupt, "the row '" + Printable(key) + "' is corrupt"};
  }
  return row;
}

// Returns the row at `key` of a MetaView or a MetaTransaction, or nullopt if there is no row.
// kCorrupt if the row cannot be parsed; the error names the key.
template <class Row, class Source>
Result<std::optional<Row>> ReadRow(Source& source, std::string_view key) {
  TRY(const std::optional<std::string> value, source.Get(key));
  if (!value.has_value()) return std::optional<Row>();
  TRY(Row row, ParseRow<Row>(key, *value));
  return std::optional<Row>(std::move(row));
}

// Reads the row as ReadRow() does, and locks its key until the transaction ends.
template <class Row>
Result<std::optional<Row>> LockRow(MetaTransaction& transaction, std::string_view key) {
  TRY(const std::optional<std::string> value, transaction.GetForUpdate(key));
  if (!value.has_value()) return std::optional<Row>();
  TRY(Row row, ParseRow<Row>(key, *value));
  return std::optional<Row>(std::move(row));
}

// Whether the call failed because a row is corrupt.
template <class T>
bool IsCorrupt(const Result<T>& result) {
  return !result.has_value() && result.error().code == ErrorCode::kCorrupt;
}

// A corrupt row counts as none. Only for a row that the next write replaces or deletes.
template <class Row>
Result<std::optional<Row>> NoneIfCorrupt(Result<std::optional<Row>> row) {
  if (IsCorrupt(row)) return std::optional<Row>();
  return row;
}

template <class Row>
Result<void> WriteRow(MetaTransaction& transaction, std::string_view key, const Row& row) {
  return transaction.Put(key, row.SerializeAsString());
}

// Returns whether a row exists at `key`, with or without a value.
template <class Source>
Result<bool> HasRow(Source& source, std::string_view key) {
  TRY(const std::optional<std::string> value, source.Get(key));
  return value.has_value();
}

inline void AppendChange(MetaTransaction& transaction, const v1::Change& change) {
  transaction.Append(change.SerializeAsString());
}

// Runs `body(transaction)`, which returns a Result<void>, and commits the transaction. If the wait
// for a lock times out, runs everything again, up to three times. So `body` may run several times.
// Returns the position of the last change that `body` appended. If it appended none, returns the
// change log's head.
template <class Body>
Result<LogPosition> Transact(
    MetaStore& meta, Body body,
    MetaTransaction::Durability durability = MetaTransaction::Durability::kSynced) {
  constexpr int kAttempts = 3;
  for (int attempt = 1;; ++attempt) {
    const std::unique_ptr<MetaTransaction> transaction = meta.Begin();
    Result<void> done = body(*transaction);
    Result<LogPosition> position = done.has_value() ? transaction->Commit(durability)
                                                    : Result<LogPosition>(std::move(done).error());
    const bool contended =
        !position.has_value() && position.error().code == ErrorCode::kDeadlineExceeded;
    if (!contended || attempt == kAttempts) return position;
  }
}

}  // namespace outport
