#include "store/gc/link_restore.h"

#include "registry/records/rows.h"
#include "store/content/repositories.h"
#include "store/content/trash.h"

namespace outport::store {

Result<LinkRestore> LinkRestore::Parse(const std::vector<KeyValue>& rows) {
  LinkRestore restore;
  for (const KeyValue& row : rows) {
    TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
    const v1::TrashRow::Link& link = trash.link();
    TRY(ContentKey content, ContentOf(link.repository(), link.digest()));
    restore.links_.emplace(std::pair(link.digest(), row.key),
                           Link{.content = std::move(content), .pull = link.pull()});
  }
  return restore;
}

Result<uint64_t> LinkRestore::Run(MetaTransaction& transaction, const Collection& collection,
                                  const Auditor& auditor, v1::RunCounts& restored) const {
  for (const auto& [order, link] : links_) {
    TRY(const auto blob, LockRow<v1::BlobRow>(transaction, keys::Blob(link.content.digest)));
  }
  uint64_t lost = 0;
  for (const auto& [order, link] : links_) {
    const auto& [repository, digest] = link.content;
    const std::string& key = order.second;
    TRY(const bool still, HasRow(transaction, key));
    if (!still) continue;
    TRY(const auto blob, ReadRow<v1::BlobRow>(transaction, keys::Blob(digest)));
    TRY(const bool here, UntrashBlob(transaction, digest));
    if (!here) {
      ++lost;
      continue;
    }
    TRY_VOID(transaction.Delete(key));
    if (blob->state() == v1::BLOB_STATE_TRASHED) {
      restored.set_blobs(restored.blobs() + 1);
      restored.set_blob_bytes(restored.blob_bytes() + blob->size_bytes());
    }
    TRY(const bool linked, HasRow(transaction, keys::Link(repository, digest)));
    if (linked) continue;
    restored.set_links(restored.links() + 1);
    TRY_VOID(WriteLink(transaction, repository, digest, blob->size_bytes(), collection, auditor,
                       "blob.restore"));
    TRY_VOID(NotePull(transaction, link));
  }
  return lost;
}

// A link that a manifest refers to needs no pull.
Result<void> LinkRestore::NotePull(MetaTransaction& transaction, const Link& link) {
  if (link.pull.last_ms() == 0) return {};
  const std::string key = keys::Link(link.content.repository, link.content.digest);
  TRY(auto row, ReadRow<v1::LinkRow>(transaction, key));
  if (!row.has_value() || row->condemned_ms() == 0) return {};
  row->set_pulled_ms(link.pull.last_ms());
  row->set_pulled_at(link.pull.node());
  return WriteRow(transaction, key, *row);
}

}  // namespace outport::store
