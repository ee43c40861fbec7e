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
// If a starting program finds an intent, an earlier process did not finish that commit. Settle()
// then removes the object, unless a row names the object. Safe for several threads. Every method
// blocks.
class IntentLedger {
 public:
  using Durability = MetaTransaction::Durability;
  // Record() commits with `durability`. With kSynced the intent is on the disk before the object.
  // So after a power cut each object has a row or an intent. `blobs` and `meta` outlive the ledger.
  IntentLedger(MetaStore& meta, BlobStore& blobs, Durability durability)
      : meta_(meta), blobs_(blobs), durability_(durability) {}

  // Records the intent in a transaction of its own. Call it before BlobWriter::Commit publishes the
  // object.
  Result<void> Record(const std::string& object, const Digest& digest);
  // Records the intent as part of `transaction`.
  static Result<void> Record(MetaTransaction& transaction, const std::string& object,
                             const Digest& digest);
  // Deletes the intent as part of the transaction that writes the row that names the object.
  static Result<void> Complete(MetaTransaction& transaction, const std::string& object);
  // Deletes the intent of an object that no longer exists. Does not sync the deletion. If a power
  // cut restores the intent, the next Settle() deletes the intent.
  Result<void> Forget(const std::string& object);

  // Returns whether a row names the object. `digest` is the error kCorrupt if the intent's row
  // cannot be read.
  using IsNamed =
      std::function<Result<bool>(const std::string& object, const Result<Digest>& digest)>;
  // For each intent, removes the object, unless a row names it, and then the intent. Returns the
  // number of intents. Call it when the program starts, before the first commit.
  Result<size_t> Settle(const IsNamed& is_named);

 private:
  MetaStore& meta_;
  BlobStore& blobs_;
  const Durability durability_;
};

}  // namespace outport
