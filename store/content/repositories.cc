#include "store/content/repositories.h"

#include "registry/records/rows.h"
#include "registry/service/unknown.h"
#include "store/audit/row_json.h"

namespace outport::store {

Result<void> RequireRepository(const MetaView& meta, const RepositoryName& repository) {
  TRY(const bool known, HasRow(meta, keys::Repository(repository)));
  if (known) return {};
  return UnknownRepository(repository);
}

Result<void> EnsureRepository(MetaTransaction& transaction, const RepositoryName& repository,
                              int64_t now_ms, const Auditor& auditor) {
  const std::string key = keys::Repository(repository);
  // Read without a lock first. The repository nearly always exists, and then concurrent pushes need
  // not wait for each other's lock.
  TRY(const bool known, HasRow(transaction, key));
  if (known) return {};
  TRY(const auto locked, transaction.GetForUpdate(key));
  if (locked.has_value()) return {};
  v1::Change change;
  change.mutable_repository()->set_repository(repository.ToString());
  change.mutable_repository()->mutable_row()->set_created_ms(now_ms);
  TRY_VOID(WriteRow(transaction, key, change.repository().row()));
  AppendChange(transaction, change);
  auditor.Add(transaction, "repository.create", repository.ToString(), nullptr,
              RowJson(change.repository().row()));
  return {};
}

Result<void> WriteLink(MetaTransaction& transaction, const RepositoryName& repository,
                       const Digest& digest, uint64_t size_bytes, const Collection& collection,
                       const Auditor& auditor, std::string_view action) {
  const std::string key = keys::Link(repository, digest);
  TRY(auto row, ReadRow<v1::LinkRow>(transaction, key));
  if (row.has_value()) {
    return collection.Touch(*row) ? WriteRow(transaction, key, *row) : Result<void>();
  }
  v1::Change change;
  v1::Change::BlobLinked& link = *change.mutable_link();
  link.set_repository(repository.ToString());
  link.set_digest(digest.ToString());
  link.mutable_row()->set_size_bytes(size_bytes);
  row = link.row();
  collection.Touch(*row);
  TRY(const auto reference, Collection::FindReference(transaction, repository, digest));
  if (!reference.has_value()) {
    TRY_VOID(collection.Condemn(transaction, repository, digest, *row));
  }
  TRY_VOID(WriteRow(transaction, key, *row));
  TRY_VOID(transaction.Put(keys::Linked(digest, repository), {}));
  TRY_VOID(EnsureRepository(transaction, repository, collection.now_ms(), auditor));
  AppendChange(transaction, change);
  auditor.Add(transaction, action, repository.ToString() + "@" + digest.ToString(), nullptr,
              RowJson(link.row()));
  return {};
}

}  // namespace outport::store
