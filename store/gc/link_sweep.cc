#include "store/gc/link_sweep.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/trash.h"

namespace outport::store {

struct LinkSweep::Locked {
  MetaTransaction& transaction;
  const Collection collection;
  v1::RunRow& run;
  std::map<std::string, std::optional<v1::BlobRow>> blobs;  // by the text of the digest
  boost::json::array removed;                               // for the audit log
};

Result<std::vector<QueuedLink>> ReadDueLinks(const MetaView& meta, int64_t until_ms,
                                             const std::string& after, size_t limit) {
  TRY(const std::vector<KeyValue> rows,
      meta.Scan({.prefix = std::string(keys::kCondemned), .after = after, .limit = limit}));
  std::vector<QueuedLink> due;
  for (const KeyValue& row : rows) {
    TRY(QueuedLink link, ParseQueuedLink(row.key));
    if (link.due_ms > until_ms) break;
    due.push_back(std::move(link));
  }
  return due;
}

Result<void> LinkSweep::Run(std::vector<QueuedLink> links) {
  // The order in which all transactions lock the rows of blobs.
  std::ranges::sort(links, {}, [](const QueuedLink& link) {
    return std::pair(link.content.digest.ToString(), link.content.repository.ToString());
  });
  return run_.Transact([&](MetaTransaction& transaction, v1::RunRow& run) {
    return RunLocked(transaction, links, run);
  });
}

Result<void> LinkSweep::RunLocked(MetaTransaction& transaction,
                                  const std::vector<QueuedLink>& links, v1::RunRow& run) const {
  Locked locked{.transaction = transaction,
                .collection = parts_.Now(),
                .run = run,
                .blobs = {},
                .removed = {}};
  // The clock has just stepped. The links stay in the queue.
  if (parts_.StepWait().count() > 0) {
    run.set_kept(run.kept() + links.size());
    return {};
  }
  for (const QueuedLink& link : links) {
    std::string text = link.content.digest.ToString();
    if (locked.blobs.contains(text)) continue;
    TRY(auto blob, LockRow<v1::BlobRow>(transaction, keys::Blob(link.content.digest)));
    locked.blobs.emplace(std::move(text), std::move(blob));
  }
  for (const QueuedLink& link : links) TRY_VOID(RemoveOne(locked, link));
  if (locked.removed.empty()) return {};
  run_.auditor().Add(transaction, "blob.collect", "run/" + run.id(),
                     boost::json::object{{"links", std::move(locked.removed)}}, nullptr);
  return {};
}

Result<void> LinkSweep::RemoveOne(Locked& locked, const QueuedLink& queued) const {
  MetaTransaction& transaction = locked.transaction;
  const auto& [repository, digest] = queued.content;
  const std::string key = keys::Link(repository, digest);
  TRY(auto link, ReadRow<v1::LinkRow>(transaction, key));
  if (!link.has_value() || link->due_ms() != queued.due_ms) {
    // The link is gone, or has another place in the queue since this row was read.
    if (link.has_value()) {
      locked.run.set_kept(locked.run.kept() + 1);
    } else {
      locked.run.set_gone(locked.run.gone() + 1);
    }
    return transaction.Delete(keys::Condemned(queued.due_ms, repository, digest));
  }
  bool stale_left = false;
  TRY(const auto reference,
      Collection::FindReference(transaction, repository, digest, &stale_left));
  const int64_t due_ms = locked.collection.DueMs(*link);
  if (reference.has_value() || due_ms > locked.collection.now_ms()) {
    locked.run.set_kept(locked.run.kept() + 1);
    TRY_VOID(reference.has_value()
                 ? Collection::Acquit(transaction, repository, digest, *link)
                 : Collection::Postpone(transaction, repository, digest, due_ms, *link));
    return WriteRow(transaction, key, *link);
  }
  if (stale_left) {
    locked.run.set_kept(locked.run.kept() + 1);
    return {};
  }
  const auto& blob = locked.blobs.at(digest.ToString());
  TRY(const bool last, TrashLink(transaction, locked.run.id(), repository, digest, *link, blob,
                                 locked.collection.now_ms()));
  v1::RunCounts& removed = *locked.run.mutable_removed();
  removed.set_links(removed.links() + 1);
  // The object of a blob without a name is in quarantine. It frees no space here.
  if (last && !blob->object().empty()) {
    removed.set_blobs(removed.blobs() + 1);
    removed.set_blob_bytes(removed.blob_bytes() + blob->size_bytes());
  }
  locked.removed.emplace_back(repository.ToString() + "@" + digest.ToString());
  return {};
}

}  // namespace outport::store
