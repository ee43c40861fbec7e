#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "registry/base/log.h"
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
// An intent names its owner, the process that makes the commit. If the owner has ended, the process
// did not finish the commit. Settle() then removes the object, unless a row names the object. Safe
// for several threads. Every method blocks.
class IntentLedger {
 public:
  using Durability = MetaTransaction::Durability;
  struct Parts {
    MetaStore& meta;
    BlobStore& blobs;
    // Record() commits with `durability`. With kSynced the intent is on the disk before the object.
    // So after a power cut each object has a row or an intent.
    Durability durability;
    std::string owner = {};  // the id of this process; empty if only one process uses the folder
    Log log = Log::Nowhere();
  };
  explicit IntentLedger(Parts parts) : parts_(std::move(parts)) {}

  // Records the intent in a transaction of its own. Call it before BlobWriter::Commit publishes the
  // object.
  Result<void> Record(const std::string& object, const Digest& digest);
  // Records the intent as part of `transaction`.
  Result<void> Record(MetaTransaction& transaction, const std::string& object,
                      const Digest& digest) const;
  // Deletes the intent as part of the transaction that writes the row that names the object. Locks
  // the intent. kUnavailable if the intent does not exist: this process was so slow that another
  // process has undone the commit.
  static Result<void> Complete(MetaTransaction& transaction, const std::string& object);
  // Deletes the intent of an object that no longer exists. Does not sync the deletion. If a power
  // cut restores the intent, the next Settle() deletes the intent.
  Result<void> Forget(const std::string& object);

  // Returns whether a row names the object. `digest` is the error kCorrupt if the intent's row
  // cannot be read.
  using IsNamed =
      std::function<Result<bool>(const std::string& object, const Result<Digest>& digest)>;
  // Returns whether the process with this id has ended. The id is empty if the intent names no
  // owner, or if its row cannot be read.
  using IsDead = std::function<Result<bool>(const std::string& owner)>;
  // For each intent of a dead owner, removes the object, unless a row names it, and then the
  // intent. Leaves the intents of living owners alone. If an object cannot be removed, logs that
  // and leaves its intent. Returns the number of intents that it settled. Call it when the program
  // starts, before the first commit.
  Result<size_t> Settle(const IsNamed& is_named, const IsDead& is_dead);

  // Returns an error if this process may no longer settle intents. It runs in each transaction that
  // settles one, before the object is removed.
  using Fence = std::function<Result<void>(MetaTransaction&)>;
  struct Rules {
    IsNamed is_named;
    IsDead is_dead;
    Fence fence = {};
  };
  struct Page {
    size_t settled = 0;
    std::string next;                   // the last object of the page; empty: it was the last page
    std::optional<Error> corrupt = {};  // of the first row that cannot be read
  };
  // Does what Settle() does, for the intents of one page: at most kPage objects that follow `after`
  // in byte order. Callable while other threads make commits. A row that cannot be read does not
  // hold up the other intents: the page says so, and leaves that intent.
  Result<Page> SettlePage(const std::string& after, const Rules& rules);
  static constexpr size_t kPage = 256;

 private:
  // Settles one intent, unless its owner lives. Returns whether it has settled the intent.
  Result<bool> SettleOne(const KeyValue& intent, const Rules& rules);

  const Parts parts_;
};

}  // namespace outport
