#include "registry/records/intent_ledger.h"

#include <memory>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"

namespace outport {
namespace {

Result<Digest> DigestOf(const KeyValue& intent) {
  v1::IntentRow row;
  if (!row.ParseFromString(intent.value)) {
    return Error{ErrorCode::kCorrupt, "the row '" + intent.key + "' cannot be read"};
  }
  return Digest::Parse(row.digest());
}

}  // namespace

Result<void> IntentLedger::Record(MetaTransaction& transaction, const std::string& object,
                                  const Digest& digest) {
  v1::IntentRow row;
  row.set_digest(digest.ToString());
  return transaction.Put(keys::Intent(object), row.SerializeAsString());
}

Result<void> IntentLedger::Record(const std::string& object, const Digest& digest) {
  const std::unique_ptr<MetaTransaction> transaction = meta_.Begin();
  TRY_VOID(Record(*transaction, object, digest));
  TRY_VOID(transaction->Commit(durability_));
  return {};
}

Result<void> IntentLedger::Complete(MetaTransaction& transaction, const std::string& object) {
  return transaction.Delete(keys::Intent(object));
}

Result<void> IntentLedger::Forget(const std::string& object) {
  const std::unique_ptr<MetaTransaction> transaction = meta_.Begin();
  TRY_VOID(Complete(*transaction, object));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return {};
}

Result<size_t> IntentLedger::Settle(const IsNamed& is_named) {
  constexpr size_t kBatch = 256;
  size_t settled = 0;
  for (;;) {
    TRY(const std::vector<KeyValue> intents,
        meta_.Scan({.prefix = std::string(keys::kIntents), .after = {}, .limit = kBatch}));
    if (intents.empty()) return settled;
    for (const KeyValue& intent : intents) {
      const std::string object(keys::After(intent.key, keys::kIntents));
      TRY(const bool named, is_named(object, DigestOf(intent)));
      if (!named) TRY_VOID(blobs_.Remove(object));
      TRY_VOID(Forget(object));
      ++settled;
    }
  }
}

}  // namespace outport
