#include "store/repositories.h"

#include "store/rows.h"

namespace outport::store {

Result<void> RequireRepository(const MetaView& meta, const RepositoryName& repository) {
  TRY(const bool known, HasRow(meta, keys::Repository(repository)));
  if (known) return {};
  return Error{ErrorCode::kNameUnknown,
               "there is no repository '" + repository.ToString() + "'; a push creates it"};
}

Result<void> EnsureRepository(MetaTransaction& transaction, const RepositoryName& repository,
                              int64_t now_ms) {
  const std::string key = keys::Repository(repository);
  // Without a lock first: nearly always it is there, and pushes need not wait for each other.
  TRY(const bool known, HasRow(transaction, key));
  if (known) return {};
  TRY(const auto locked, transaction.GetForUpdate(key));
  if (locked.has_value()) return {};
  v1::Change change;
  change.mutable_repository()->set_repository(repository.ToString());
  change.mutable_repository()->mutable_row()->set_created_ms(now_ms);
  TRY_VOID(WriteRow(transaction, key, change.repository().row()));
  AppendChange(transaction, change);
  return {};
}

}  // namespace outport::store
