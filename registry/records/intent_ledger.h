#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"

namespace outport {

// The intents of blob commits: rows intent/<object>. A commit takes these steps:
//
//   Record(object) -> BlobWriter::Commit -> one transaction with the row that names the object and
//   Complete(object)
//
// An intent that a start finds belongs to a commit that the process did not finish. Settle()
// removes the object, unless a row names it. Safe for several threads. Every method blocks.
class IntentLedger {
 public:
  using Durability = MetaTransaction::Durability;
  // `durability` is that of Record(). With kSynced the intent is on the disk before the object can
  // be, so that a power cut leaves no object without either a row or an intent. `blobs` and `meta`
  // outlive the ledger.
  IntentLedger(MetaStore& meta, BlobStore& blobs, Durability durability)
      : meta_(meta), blobs_(blobs), durability_(durability) {}

  // Records the intent in a transaction of its own. Call it before the object is published.
  Result<void> Record(const std::string& object, const Digest& digest);
  // Records the intent as part of `transaction`.
  static Result<void> Record(MetaTransaction& transaction, const std::string& object,
                             const Digest& digest);
  // Deletes the intent as part of the transaction that writes the row that names the object.
  static Result<void> Complete(MetaTransaction& transaction, const std::string& object);
  // Deletes the intent of an object that does not exist any more. Not synced: an intent that comes
  // back after a power cut is settled.
  Result<void> Forget(const std::string& object);

  // Whether a row names the object. `digest` is kCorrupt if the intent cannot be read.
  using IsNamed =
      std::function<Result<bool>(const std::string& object, const Result<Digest>& digest)>;
  // Removes the objects that no row names, and all intents. Returns how many intents there were.
  // Call it at start, before the first commit.
  Result<size_t> Settle(const IsNamed& is_named);

 private:
  MetaStore& meta_;
  BlobStore& blobs_;
  const Durability durability_;
};

}  // namespace outport
