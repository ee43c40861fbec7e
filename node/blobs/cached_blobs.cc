#include "node/blobs/cached_blobs.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "registry/storage/free_space.h"

namespace outport::node {
namespace {

using Durability = MetaTransaction::Durability;

Result<std::optional<v1::CachedRow>> ParseRow(const Result<std::optional<std::string>>& value) {
  if (!value.has_value()) return value.error();
  if (!value->has_value()) return std::optional<v1::CachedRow>();
  v1::CachedRow row;
  // Treat a row that cannot be parsed as no row: the node then fetches the blob again.
  if (!row.ParseFromString(**value)) return std::optional<v1::CachedRow>();
  return std::optional(std::move(row));
}

}  // namespace

CachedBlobs::CachedBlobs(Parts parts)
    : parts_(std::move(parts)),
      intents_({.meta = parts_.meta,
                .blobs = parts_.blobs,
                .durability = Durability::kBuffered,
                .log = parts_.log}) {}

// If the earlier process did not finish a commit, keeps the object only if the copy's row names the
// object.
Result<void> CachedBlobs::Recover() {
  TRY_VOID(parts_.blobs.DiscardUncommitted({}));
  auto is_named = [this](const std::string& object, const Result<Digest>& digest) -> Result<bool> {
    // If the digest is unreadable, remove the object. The node fetches the blob again.
    if (!digest.has_value()) return false;
    TRY(const auto cached, ParseRow(parts_.meta.Get(keys::Cached(*digest))));
    return cached.has_value() && cached->object() == object;
  };
  // The lock of the node's folder proves that every earlier process has ended.
  auto is_dead = [](const std::string&) -> Result<bool> { return true; };
  TRY(const size_t settled, intents_.Settle(is_named, is_dead));
  static_cast<void>(settled);
  return Result<void>();
}

Result<bool> CachedBlobs::Contains(const Digest& digest) const {
  TRY(const auto row, parts_.meta.Get(keys::Cached(digest)));
  return row.has_value();
}

Result<std::optional<CachedCopy>> CachedBlobs::Find(const Digest& digest) {
  TRY(const auto row, ParseRow(parts_.meta.Get(keys::Cached(digest))));
  if (!row.has_value()) return std::optional<CachedCopy>();
  CachedCopy copy;
  copy.location = {
      row->object(), row->size_bytes(), {row->checksums().begin(), row->checksums().end()}};
  copy.needs_verification = !row->durable() && row->boot_id() != parts_.boot_id;
  Result<std::unique_ptr<BlobReader>> reader = parts_.blobs.Open(copy.location);
  if (reader.has_value()) {
    copy.reader = std::move(*reader);
    return std::optional(std::move(copy));
  }
  const ErrorCode code = reader.error().code;
  if (code != ErrorCode::kBlobUnknown && code != ErrorCode::kCorrupt) return reader.error();
  Quarantine(digest, copy.location.object, reader.error());
  return std::optional<CachedCopy>();
}

Result<std::unique_ptr<BlobWriter>> CachedBlobs::Begin(const Digest& digest, uint64_t size_bytes) {
  if (const auto why = parts_.meta.WhyReadOnly()) return Error{ErrorCode::kNoSpace, why->message};
  TRY_VOID(RequireFreeSpace(parts_.blobs, "this node's disk", parts_.headroom_bytes, size_bytes));
  TRY(std::unique_ptr<BlobWriter> writer, parts_.blobs.Create(digest));
  TRY_VOID(writer->Expect(size_bytes));
  return writer;
}

Result<BlobLocation> CachedBlobs::Commit(const Digest& digest, BlobWriter& writer) {
  TRY_VOID(intents_.Record(writer.object(), digest));
  Result<BlobLocation> location = writer.Commit(digest, BlobWriter::SyncWhen::kLater);
  if (location.has_value()) return location;
  Abandon(writer.object());
  if (location.error().code != ErrorCode::kDigestInvalid) return location.error();
  return Error{ErrorCode::kCorrupt, "the bytes that the store sent for " + digest.ToString() +
                                        " have another digest; the node discarded them"};
}

Result<void> CachedBlobs::RecordCopy(const Digest& digest, const BlobLocation& location) {
  v1::CachedRow row;
  row.set_size_bytes(location.size_bytes);
  row.set_object(location.object);
  row.mutable_checksums()->Add(location.checksums.begin(), location.checksums.end());
  row.set_boot_id(parts_.boot_id);
  const auto transaction = parts_.meta.Begin();
  TRY(const auto before, ParseRow(transaction->GetForUpdate(keys::Cached(digest))));
  TRY_VOID(transaction->Put(keys::Cached(digest), row.SerializeAsString()));
  TRY_VOID(IntentLedger::Complete(*transaction, location.object));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  if (before.has_value() && before->object() != location.object) {
    return parts_.blobs.Remove({&before->object(), 1}, BlobWriter::SyncWhen::kLater);
  }
  return Result<void>();
}

void CachedBlobs::Abandon(const std::string& object) {
  const Result<void> forgotten = intents_.Forget(object);  // if this fails, the next start does it
  if (!forgotten.has_value()) {
    parts_.log.Warning("intent not deleted",
                       {{"object", object}, {"error", forgotten.error().message}});
  }
}

Result<void> CachedBlobs::MakeDurable(const Digest& digest, const std::string& object) {
  const Result<void> synced = parts_.blobs.Sync(object);
  if (!synced.has_value()) {
    TRY(const auto row, ParseRow(parts_.meta.Get(keys::Cached(digest))));
    const bool dropped = !row.has_value() || row->object() != object;
    return dropped ? Result<void>() : synced;
  }
  return SetDurable(digest, object);
}

Result<void> CachedBlobs::SetDurable(const Digest& digest, const std::string& object) {
  const auto transaction = parts_.meta.Begin();
  TRY(auto row, ParseRow(transaction->GetForUpdate(keys::Cached(digest))));
  if (!row.has_value() || row->object() != object) return Result<void>();  // a newer copy
  row->set_durable(true);
  TRY_VOID(transaction->Put(keys::Cached(digest), row->SerializeAsString()));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return Result<void>();
}

Result<void> CachedBlobs::Verify(const Digest& digest, const CachedCopy& copy) {
  Hasher hasher(digest.algorithm());
  std::vector<std::byte> block(kChecksumBlockBytes);
  for (uint64_t offset = 0; offset < copy.location.size_bytes; offset += kChecksumBlockBytes) {
    const uint64_t size = std::min(kChecksumBlockBytes, copy.location.size_bytes - offset);
    const MutableBytes buffer(block.data(), size);
    const Result<size_t> read = copy.reader->Read(offset, buffer);
    if (!read.has_value()) {
      if (read.error().code == ErrorCode::kCorrupt) {
        Quarantine(digest, copy.location.object, read.error());
      }
      return read.error();
    }
    hasher.Update(buffer);
  }
  if (hasher.Current() == digest) return SetDurable(digest, copy.location.object);
  const Error why{ErrorCode::kCorrupt, "the cached copy of " + digest.ToString() +
                                           " was not synced before the machine stopped, and has "
                                           "another digest"};
  Quarantine(digest, copy.location.object, why);
  return why;
}

Result<CachedBlobs::Dropped> CachedBlobs::Drop(std::vector<CopyName> copies) {
  std::ranges::sort(copies, {}, &CopyName::digest);  // the order of the locks
  Dropped dropped;
  std::vector<std::string> objects;
  const auto transaction = parts_.meta.Begin();
  for (const CopyName& copy : copies) {
    const std::string key = keys::Cached(copy.digest);
    TRY(const auto row, ParseRow(transaction->GetForUpdate(key)));
    if (!row.has_value() || (!copy.object.empty() && row->object() != copy.object)) continue;
    TRY_VOID(transaction->Delete(key));
    TRY_VOID(intents_.Record(*transaction, row->object(), copy.digest));
    objects.push_back(row->object());
    ++dropped.count;
    dropped.size_bytes += row->size_bytes();
  }
  if (objects.empty()) return dropped;
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  TRY_VOID(parts_.blobs.Remove(objects, BlobWriter::SyncWhen::kLater));
  for (const std::string& object : objects) TRY_VOID(intents_.Forget(object));
  return dropped;
}

void CachedBlobs::Quarantine(const Digest& digest, const std::string& object, const Error& why) {
  bool quarantined = true;
  for (const Result<void>& result : {DeleteRow(digest, object), parts_.blobs.Quarantine(object)}) {
    if (result.has_value() || result.error().code == ErrorCode::kBlobUnknown) continue;
    quarantined = false;
    parts_.log.Error("cached blob not quarantined", {{"digest", digest.ToString()},
                                                     {"object", object},
                                                     {"read_error", why.message},
                                                     {"error", result.error().message}});
  }
  if (!quarantined) return;
  parts_.log.Warning("cached blob quarantined",
                     {{"digest", digest.ToString()}, {"object", object}, {"error", why.message}});
}

Result<void> CachedBlobs::DeleteRow(const Digest& digest, const std::string& object) {
  const auto transaction = parts_.meta.Begin();
  TRY(const auto row, ParseRow(transaction->GetForUpdate(keys::Cached(digest))));
  if (!row.has_value() || row->object() != object) return Result<void>();
  TRY_VOID(transaction->Delete(keys::Cached(digest)));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return Result<void>();
}

}  // namespace outport::node
