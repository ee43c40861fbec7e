#include "registry/records/intent_ledger.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"

namespace outport {
namespace {

struct Intent {
  Result<Digest> digest;
  std::string owner = {};
};

Intent ParseIntent(const KeyValue& intent) {
  const Error corrupt{ErrorCode::kCorrupt, "the row '" + intent.key + "' cannot be read"};
  v1::IntentRow row;
  if (!row.ParseFromString(intent.value)) return {.digest = corrupt};
  Result<Digest> digest = Digest::Parse(row.digest());
  if (!digest.has_value()) digest = corrupt;
  return {.digest = std::move(digest), .owner = row.owner()};
}

}  // namespace

Result<void> IntentLedger::Record(MetaTransaction& transaction, const std::string& object,
                                  const Digest& digest) const {
  v1::IntentRow row;
  row.set_digest(digest.ToString());
  row.set_owner(parts_.owner);
  return transaction.Put(keys::Intent(object), row.SerializeAsString());
}

Result<void> IntentLedger::Record(const std::string& object, const Digest& digest) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(Record(*transaction, object, digest));
  TRY_VOID(transaction->Commit(parts_.durability));
  return {};
}

Result<void> IntentLedger::Complete(MetaTransaction& transaction, const std::string& object) {
  TRY(const auto intent, transaction.GetForUpdate(keys::Intent(object)));
  if (!intent.has_value()) {
    return Error{ErrorCode::kUnavailable, "another process has undone the commit of " + object +
                                              " because this one was too slow; push it again"};
  }
  return transaction.Delete(keys::Intent(object));
}

Result<void> IntentLedger::Forget(const std::string& object) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  transaction->SetUrgency(MetaTransaction::Urgency::kMustPass);
  TRY_VOID(transaction->Delete(keys::Intent(object)));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return {};
}

// Keeps the intent locked while it looks and removes the object. So the commit cannot complete
// meanwhile.
Result<bool> IntentLedger::SettleOne(const KeyValue& intent, const Rules& rules) {
  TRY(const bool dead, rules.is_dead(ParseIntent(intent).owner));
  if (!dead) return false;
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  transaction->SetUrgency(MetaTransaction::Urgency::kMustPass);
  TRY(const auto locked, transaction->GetForUpdate(intent.key));
  if (locked != intent.value) return false;
  if (rules.fence != nullptr) TRY_VOID(rules.fence(*transaction));
  const std::string object(keys::After(intent.key, keys::kIntents));
  TRY(const bool named, rules.is_named(object, ParseIntent(intent).digest));
  const bool synced = parts_.durability == Durability::kSynced;
  const auto sync = synced ? BlobWriter::SyncWhen::kNow : BlobWriter::SyncWhen::kLater;
  if (!named) {
    // One object on a bad part of the disk must not keep the program from its start.
    const Result<void> removed = parts_.blobs.Remove({&object, 1}, sync);
    if (!removed.has_value()) {
      parts_.log.Warning("object not removed",
                         {{"object", object}, {"error", removed.error().message}});
      return false;
    }
  }
  TRY_VOID(transaction->Delete(intent.key));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return true;
}

Result<size_t> IntentLedger::Settle(const IsNamed& is_named, const IsDead& is_dead) {
  const Rules rules{.is_named = is_named, .is_dead = is_dead};
  size_t settled = 0;
  std::string after;
  do {
    TRY(Page page, SettlePage(after, rules));
    if (page.corrupt.has_value()) return *page.corrupt;
    settled += page.settled;
    after = std::move(page.next);
  } while (!after.empty());
  return settled;
}

Result<IntentLedger::Page> IntentLedger::SettlePage(const std::string& after, const Rules& rules) {
  const std::string start = after.empty() ? after : keys::Intent(after);
  TRY(const std::vector<KeyValue> intents,
      parts_.meta.Scan({.prefix = std::string(keys::kIntents), .after = start, .limit = kPage}));
  Page page;
  for (const KeyValue& intent : intents) {
    const Result<bool> done = SettleOne(intent, rules);
    if (done.has_value()) {
      page.settled += *done ? 1 : 0;
    } else if (IsCorrupt(done)) {
      if (!page.corrupt.has_value()) page.corrupt = done.error();
    } else {
      return done.error();
    }
  }
  if (intents.size() == kPage) page.next = keys::After(intents.back().key, keys::kIntents);
  return page;
}

}  // namespace outport
