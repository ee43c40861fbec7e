#include "store/content/blobs.h"

#include <utility>

#include "registry/base/blocking_pool.h"
#include "registry/records/rows.h"
#include "registry/service/unknown.h"
#include "store/audit/row_json.h"
#include "store/content/repositories.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr int kOpens = 3;  // each needs another push of the blob meanwhile

BlobLocation LocationOf(const v1::BlobRow& row) {
  return BlobLocation{.object = row.object(),
                      .size_bytes = row.size_bytes(),
                      .checksums = {row.checksums().begin(), row.checksums().end()}};
}

v1::BlobRow NewBlobRow(const BlobLocation& location) {
  v1::BlobRow row;
  row.set_size_bytes(location.size_bytes);
  row.set_object(location.object);
  row.mutable_checksums()->Assign(location.checksums.begin(), location.checksums.end());
  return row;
}

Error Unknown(const RepositoryName& repository, const Digest& digest, const std::string& why) {
  return Error{ErrorCode::kBlobUnknown,
               "blob " + digest.ToString() + " in " + repository.ToString() + ": " + why,
               {digest.ToString()}};
}

}  // namespace

bool IsUsable(const v1::BlobRow& row) {
  return row.state() != v1::BLOB_STATE_TRASHED && !row.object().empty();
}

Blobs::Blobs(Parts parts)
    : parts_(std::move(parts)),
      space_(parts_.bytes, parts_.headroom_bytes),
      intents_({.meta = parts_.meta,
                .blobs = parts_.bytes,
                .durability = MetaTransaction::Durability::kSynced,
                .owner = parts_.owner.id(),
                .log = parts_.log}),
      corrupt_(parts_.metrics.Counter("outport_store_blobs_corrupt_total",
                                      "Reads of blobs that failed their checksum.")) {}

Result<void> Blobs::RequireFreeSpace(uint64_t needed_bytes, const Pusher& by) const {
  Result<void> enough = space_.Require(needed_bytes);
  if (!enough.has_value()) AddDemand(enough.error(), needed_bytes, by);
  return enough;
}

Result<SpaceLedger::Promise> Blobs::PromiseSpace(const SpaceLedger::Wanted& wanted,
                                                 const Pusher& by) {
  Result<SpaceLedger::Promise> promise = space_.Take(wanted);
  if (!promise.has_value()) AddDemand(promise.error(), wanted.needed_bytes, by);
  return promise;
}

void Blobs::AddDemand(const Error& rejection, uint64_t needed_bytes, const Pusher& by) const {
  const bool full = rejection.code == ErrorCode::kNoSpace;
  if (full && parts_.demand != nullptr) parts_.demand->Add(needed_bytes, by);
}

Result<Blobs::Located> Blobs::Locate(const RepositoryName& repository, const Digest& digest) const {
  TRY(const bool linked, HasRow(parts_.meta, keys::Link(repository, digest)));
  return Locate(repository, digest, linked);
}

Result<Blobs::Located> Blobs::Locate(const RepositoryName& repository, const Digest& digest,
                                     bool linked) const {
  if (!linked) {
    TRY_VOID(RequireRepository(parts_.meta, repository));
    return UnknownBlob(repository, digest);
  }
  TRY(const auto row, ReadRow<v1::BlobRow>(parts_.meta, keys::Blob(digest)));
  if (!row.has_value() || !IsUsable(*row)) {
    return Unknown(repository, digest, "its bytes are corrupt or were deleted; push it again");
  }
  return Located{{digest, row->size_bytes()}, LocationOf(*row)};
}

Result<BlobInfo> Blobs::Stat(const RepositoryName& repository, const Digest& digest) const {
  TRY(Located blob, Locate(repository, digest));
  return std::move(blob.info);
}

Result<Blobs::Touched> Blobs::Touch(const RepositoryName& repository, const Digest& digest) {
  const Collection collection(parts_.times, parts_.store_clock.NowMs());
  const std::string key = keys::Link(repository, digest);
  TRY(auto link, ReadRow<v1::LinkRow>(parts_.meta, key));
  TRY(Located blob, Locate(repository, digest, link.has_value()));
  if (!collection.HasLease(link->lease_until_ms())) {
    auto touch = [&](MetaTransaction& transaction) -> Result<void> {
      TRY(const auto row, LockRow<v1::BlobRow>(transaction, keys::Blob(digest)));
      TRY(link, ReadRow<v1::LinkRow>(transaction, key));
      if (!link.has_value() || !row.has_value() || !IsUsable(*row)) {
        return Unknown(repository, digest, "it was just deleted; push it again");
      }
      if (!collection.Touch(*link)) return {};
      return WriteRow(transaction, key, *link);
    };
    TRY_VOID(Transact(parts_.meta, touch));
  }
  return Touched{std::move(blob.info), link->lease_until_ms() - collection.now_ms()};
}

Result<Blobs::Opened> Blobs::Open(const RepositoryName& repository, const Digest& digest) {
  TRY(Located blob, Locate(repository, digest));
  for (int tries = 1;; ++tries) {
    Result<std::unique_ptr<BlobReader>> reader = parts_.bytes.Open(blob.location);
    if (reader.has_value()) return Opened{std::move(blob), *std::move(reader)};
    const ErrorCode code = reader.error().code;
    if (code != ErrorCode::kBlobUnknown && code != ErrorCode::kCorrupt) return reader.error();
    // A push may have replaced the object since Locate().
    TRY(Located now, Locate(repository, digest));
    if (now.location.object == blob.location.object) {
      TRY_VOID(Quarantine(digest, blob.location.object, reader.error().message));
      return Unknown(repository, digest,
                     "its bytes cannot be read (" + reader.error().message + "); push it again");
    }
    if (tries == kOpens) break;
    blob = std::move(now);
  }
  return Error{ErrorCode::kUnavailable,
               "other pushes are replacing blob " + digest.ToString() + "; retry"};
}

Result<PushedBlob> Blobs::Commit(const RepositoryName& repository, BlobWriter& writer,
                                 const Digest& digest, const Actor& by, const AlsoWrite& also) {
  const Auditor auditor(by, parts_.clock);
  const std::string object = writer.object();
  TRY_VOID(intents_.Record(object, digest));
  Result<BlobLocation> location = writer.Commit(digest);
  if (!location.has_value()) {
    // The sync of the folder may have failed after the rename. Then the object may exist.
    Discard(object);
    return std::move(location).error();
  }
  std::string left_over;
  Result<PushedBlob> pushed = Link(repository, digest, {auditor, also, *location}, left_over);
  if (!pushed.has_value()) {
    // After a failed write of the metadata, the row that names the object may be on the disk. If
    // the metadata still accepts commits, no write has failed, so no row names the object: remove
    // the object. Otherwise keep it; the next start finds out whether a row names it.
    const bool unnamed = intents_.Record(object, digest).has_value();
    left_over = unnamed ? object : "";
  } else {
    checked_.Remember(object, {location->size_bytes, parts_.clock.SinceBoot()});
  }
  if (!left_over.empty()) Discard(left_over);
  return pushed;
}

// Removes an object that no row names. If the removal fails, the object's intent stays, and the
// next start tries again.
void Blobs::Discard(const std::string& object) {
  Result<void> removed = parts_.bytes.Remove({&object, 1});
  if (removed.has_value()) removed = intents_.Forget(object);
  if (!removed.has_value()) {
    parts_.log.Warning("object not removed",
                       {{"object", object}, {"error", removed.error().message}});
  }
}

// Runs the transaction of a commit: writes the blob's row and the link. Sets `left_over` to the
// object that the row named before; the caller removes it. If the process ends before that, the
// next start finds the intent.
Result<PushedBlob> Blobs::Link(const RepositoryName& repository, const Digest& digest,
                               const Committing& committing, std::string& left_over) {
  const Collection collection(parts_.times, parts_.store_clock.NowMs());
  const std::string key = keys::Blob(digest);
  const uint64_t size_bytes = committing.fresh.size_bytes;
  auto link = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto row, LockRow<v1::BlobRow>(transaction, key));
    left_over = row.has_value() ? row->object() : "";
    if (row.has_value() && row->state() == v1::BLOB_STATE_TRASHED) {
      TRY_VOID(
          transaction.Delete(keys::Trash(row->run(), trash_kind::kBlob, "", digest.ToString())));
    }
    if (!left_over.empty()) TRY_VOID(intents_.Record(transaction, left_over, digest));
    TRY_VOID(WriteRow(transaction, key, NewBlobRow(committing.fresh)));
    TRY_VOID(IntentLedger::Complete(transaction, committing.fresh.object));
    TRY_VOID(WriteLink(transaction, repository, digest, size_bytes, collection, committing.auditor,
                       "blob.push"));
    return committing.also == nullptr ? Result<void>() : committing.also(transaction);
  };
  TRY(const LogPosition position, Transact(parts_.meta, link));
  return PushedBlob{{digest, size_bytes}, position.sequence};
}

Awaitable<void> Blobs::QuarantineCorrupt(BlockingPool& disk, Digest digest, std::string object,
                                         Error why) {
  corrupt_.Increment();
  auto quarantine = [this, digest, object = std::move(object), why = why.message] {
    return Quarantine(digest, object, why);
  };
  const Result<void> quarantined = co_await BlockingInProgress(disk, std::move(quarantine));
  if (!quarantined.has_value()) {
    parts_.log.Error("blob not quarantined",
                     {{"digest", digest.ToString()}, {"error", quarantined.error().message}});
  }
}

Result<void> Blobs::Quarantine(const Digest& digest, const std::string& object,
                               const std::string& why) {
  bool mine = false;
  const Auditor auditor(Actor::Store(), parts_.clock);
  auto clear = [&](MetaTransaction& transaction) -> Result<void> {
    mine = false;
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY(auto row, LockRow<v1::BlobRow>(transaction, keys::Blob(digest)));
    if (!row.has_value() || object.empty() || row->object() != object) return {};
    mine = true;
    row->clear_object();
    auditor.Add(transaction, "blob.quarantine", digest.ToString(), {{"object", object}}, nullptr);
    TRY_VOID(WriteRow(transaction, keys::Blob(digest), *row));
    // If the process ends before it moves the object, the next start finds this intent and removes
    // the object.
    return intents_.Record(transaction, object, digest);
  };
  TRY_VOID(Transact(parts_.meta, clear));
  if (!mine) return {};
  if (const Result<void> moved = parts_.bytes.Quarantine(object); moved.has_value()) {
    parts_.log.Error("blob quarantined",
                     {{"digest", digest.ToString()}, {"object", object}, {"error", why}});
  } else {
    parts_.log.Error("object not moved to quarantine", {{"digest", digest.ToString()},
                                                        {"object", object},
                                                        {"read_error", why},
                                                        {"error", moved.error().message}});
    return {};  // the intent stays, so that the next start removes the object
  }
  return intents_.Forget(object);
}

Result<bool> Blobs::IsNamed(const std::string& object, const Result<Digest>& digest) const {
  TRY_VOID(digest);
  TRY(const auto blob, ReadRow<v1::BlobRow>(parts_.meta, keys::Blob(*digest)));
  return blob.has_value() && blob->object() == object;
}

Result<size_t> Blobs::SettleIntents() {
  auto is_named = [this](const auto& object, const auto& digest) {
    return IsNamed(object, digest);
  };
  auto is_dead = [this](const std::string& owner) { return parts_.owner.IsDead(owner); };
  return intents_.Settle(is_named, is_dead);
}

Result<IntentLedger::Page> Blobs::SettleIntents(const std::string& after,
                                                const IntentLedger::IsDead& is_dead,
                                                const IntentLedger::Fence& fence) {
  auto is_named = [this](const auto& object, const auto& digest) {
    return IsNamed(object, digest);
  };
  return intents_.SettlePage(after, {.is_named = is_named, .is_dead = is_dead, .fence = fence});
}

}  // namespace outport::store
