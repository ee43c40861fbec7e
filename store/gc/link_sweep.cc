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
  std::map<std::string, Result<std::optional<v1::BlobRow>>> blobs;  // by the text of the digest
  boost::json::array removed;                                       // for the audit log
};

struct LinkSweep::Look {
  std::optional<v1::LinkRow> link;  // if it is still at this place in the queue
  bool is_gone = false;
  bool is_referenced = false;
  bool stale_left = false;
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

Result<std::vector<QueuedLink>> LinkSweep::Run(std::vector<QueuedLink> links) {
  // The order in which all transactions lock the rows of blobs.
  std::ranges::sort(links, {}, [](const QueuedLink& link) {
    return std::pair(link.content.digest.ToString(), link.content.repository.ToString());
  });
  std::vector<QueuedLink> corrupt;
  std::vector<Error> skipped;
  TRY_VOID(run_.Transact([&](MetaTransaction& transaction, v1::RunRow& run) -> Result<void> {
    skipped.clear();
    TRY(corrupt, RunLocked(transaction, links, run, skipped));
    return {};
  }));
  for (const Error& why : skipped) run_.Skip(why);
  return corrupt;
}

Result<std::vector<QueuedLink>> LinkSweep::RunLocked(MetaTransaction& transaction,
                                                     const std::vector<QueuedLink>& links,
                                                     v1::RunRow& run,
                                                     std::vector<Error>& skipped) const {
  std::vector<QueuedLink> corrupt;
  Locked locked{.transaction = transaction,
                .collection = parts_.Now(),
                .run = run,
                .blobs = {},
                .removed = {}};
  // The clock has just stepped. The links stay in the queue.
  if (parts_.StepWait().count() > 0) {
    run.set_kept(run.kept() + links.size());
    return corrupt;
  }
  for (const QueuedLink& link : links) {
    std::string text = link.content.digest.ToString();
    if (locked.blobs.contains(text)) continue;
    auto blob = LockRow<v1::BlobRow>(transaction, keys::Blob(link.content.digest));
    if (!IsCorrupt(blob)) TRY_VOID(blob);
    locked.blobs.emplace(std::move(text), std::move(blob));
  }
  for (const QueuedLink& link : links) {
    Result<Look> look = LookAt(locked, link);
    if (IsCorrupt(look)) {
      skipped.push_back(look.error());
      run.set_kept(run.kept() + 1);
      corrupt.push_back(link);
      continue;
    }
    TRY_VOID(look);
    TRY_VOID(RemoveOne(locked, link, *std::move(look)));
  }
  if (locked.removed.empty()) return corrupt;
  run_.auditor().Add(transaction, "blob.collect", "run/" + run.id(),
                     boost::json::object{{"links", std::move(locked.removed)}}, nullptr);
  return corrupt;
}

// Reads all rows that decide about the link, and removes nothing but stale references, so that a
// corrupt row leaves the link as it is. kCorrupt names the row.
Result<LinkSweep::Look> LinkSweep::LookAt(Locked& locked, const QueuedLink& queued) {
  const auto& [repository, digest] = queued.content;
  Look look;
  TRY(look.link, ReadRow<v1::LinkRow>(locked.transaction, keys::Link(repository, digest)));
  look.is_gone = !look.link.has_value();
  if (!look.is_gone && look.link->due_ms() != queued.due_ms) look.link.reset();
  if (!look.link.has_value()) return look;
  TRY(const auto reference,
      Collection::FindReference(locked.transaction, repository, digest, &look.stale_left));
  look.is_referenced = reference.has_value();
  if (!look.is_referenced) TRY_VOID(locked.blobs.at(digest.ToString()));
  return look;
}

Result<void> LinkSweep::RemoveOne(Locked& locked, const QueuedLink& queued, Look look) const {
  MetaTransaction& transaction = locked.transaction;
  const auto& [repository, digest] = queued.content;
  const std::string key = keys::Link(repository, digest);
  std::optional<v1::LinkRow>& link = look.link;
  if (!link.has_value()) {
    // The link is gone, or has another place in the queue since this row was read.
    if (look.is_gone) {
      locked.run.set_gone(locked.run.gone() + 1);
    } else {
      locked.run.set_kept(locked.run.kept() + 1);
    }
    return transaction.Delete(KeyOf(queued));
  }
  const int64_t due_ms = locked.collection.DueMs(*link);
  if (look.is_referenced || due_ms > locked.collection.now_ms()) {
    locked.run.set_kept(locked.run.kept() + 1);
    TRY_VOID(look.is_referenced
                 ? Collection::Acquit(transaction, repository, digest, *link)
                 : Collection::Postpone(transaction, repository, digest, due_ms, *link));
    return WriteRow(transaction, key, *link);
  }
  if (look.stale_left) {
    locked.run.set_kept(locked.run.kept() + 1);
    return {};
  }
  const std::optional<v1::BlobRow>& blob = *locked.blobs.at(digest.ToString());
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
