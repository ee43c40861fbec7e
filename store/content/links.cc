#include "store/content/links.h"

#include <string>
#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "registry/service/listing.h"
#include "store/audit/row_json.h"
#include "store/content/repositories.h"

namespace outport::store {
namespace {

constexpr size_t kMaxSources = 4096;
constexpr size_t kReferencesPerScan = 100;

// This error must not reveal whether a repository that the caller may not pull from has the blob.
// So the text is the same whether or not such a repository exists.
Error NothingToMount(const Digest& digest) {
  return Error{ErrorCode::kBlobUnknown,
               "cannot mount blob " + digest.ToString() +
                   ": no repository that you may pull from has the blob; push it",
               {digest.ToString()}};
}

// Returns kUnsupported if a manifest of the repository refers to the blob. Also deletes reference
// rows whose manifest no longer exists; the deletion of a corrupt manifest leaves such rows.
Result<void> RequireUnreferenced(MetaTransaction& transaction, const RepositoryName& repository,
                                 const Digest& digest) {
  const std::string prefix = keys::ReferencesTo(digest, repository);
  for (ScanRange range{.prefix = prefix, .after = {}, .limit = kReferencesPerScan};;) {
    TRY(const std::vector<KeyValue> rows, transaction.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const Digest parent, Digest::Parse(keys::After(row.key, prefix)));
      TRY(const bool alive, HasRow(transaction, keys::ManifestOf(repository, parent)));
      if (alive) {
        return Error{ErrorCode::kUnsupported,
                     "cannot delete blob " + digest.ToString() + " of " + repository.ToString() +
                         ": manifest " + parent.ToString() +
                         " refers to it; delete the manifest first",
                     {parent.ToString()}};
      }
      TRY_VOID(transaction.Delete(row.key));
    }
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
}

}  // namespace

Result<std::optional<RepositoryName>> Links::FindSource(const RepositoryName& repository,
                                                        const Digest& digest,
                                                        const std::optional<RepositoryName>& from,
                                                        const Visible& visible) const {
  const RepositoryName& first = from.value_or(repository);
  if (visible(first)) {
    TRY(const bool linked, HasRow(meta_, keys::Link(first, digest)));
    if (linked) return first;
  }
  if (from.has_value()) return std::nullopt;
  const std::string linked_in = keys::LinkedIn(digest);
  const auto scan = [&](const std::string& prefix, const std::string& after,
                        size_t limit) -> Result<std::vector<std::string>> {
    TRY(const std::vector<KeyValue> rows,
        meta_.Scan({.prefix = linked_in + prefix,
                    .after = after.empty() ? "" : linked_in + after,
                    .limit = limit}));
    std::vector<std::string> names;
    for (const KeyValue& row : rows) names.emplace_back(keys::After(row.key, linked_in));
    return names;
  };
  TRY(const Page found, ListVisible(visible, {.last = "", .limit = 1}, scan, kMaxSources));
  if (found.items.empty()) return std::nullopt;
  TRY(RepositoryName source, RepositoryName::Parse(found.items.front()));
  return source;
}

Result<PushedBlob> Links::Mount(const RepositoryName& repository, const Digest& digest,
                                const std::optional<RepositoryName>& from, const Visible& visible,
                                const Actor& by) {
  TRY(const auto source, FindSource(repository, digest, from, visible));
  if (!source.has_value()) return NothingToMount(digest);
  TRY(const bool here, blobs_.HasBytes(digest));
  if (!here) return NothingToMount(digest);
  const int64_t now_ms = ToUnixMillis(clock_.Wall());
  const std::string key = keys::Blob(digest);
  uint64_t size_bytes = 0;
  const Auditor auditor(by, clock_);
  auto mount = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::BlobRow>(transaction, key));
    TRY(const bool linked, HasRow(transaction, keys::Link(*source, digest)));
    if (!linked || !row.has_value() || !IsUsable(*row)) return NothingToMount(digest);
    if (TouchBlob(*row, now_ms)) TRY_VOID(WriteRow(transaction, key, *row));
    size_bytes = row->size_bytes();
    return WriteLink(transaction, repository, digest, size_bytes, now_ms, auditor, "blob.mount");
  };
  TRY(const LogPosition position, Transact(meta_, mount));
  return PushedBlob{{digest, size_bytes}, position.sequence};
}

Result<Deleted> Links::Remove(const RepositoryName& repository, const Digest& digest,
                              const Actor& by) {
  const Auditor auditor(by, clock_);
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto blob, transaction.GetForUpdate(keys::Blob(digest)));
    const std::string key = keys::Link(repository, digest);
    TRY(const auto link, ReadRow<v1::LinkRow>(transaction, key));
    if (!link.has_value()) {
      TRY_VOID(RequireRepository(meta_, repository));
      return Error{ErrorCode::kBlobUnknown,
                   "there is no blob " + digest.ToString() + " in " + repository.ToString(),
                   {digest.ToString()}};
    }
    TRY_VOID(RequireUnreferenced(transaction, repository, digest));
    TRY_VOID(transaction.Delete(key));
    TRY_VOID(transaction.Delete(keys::Linked(digest, repository)));
    v1::Change change;
    change.mutable_unlink()->set_repository(repository.ToString());
    change.mutable_unlink()->set_digest(digest.ToString());
    AppendChange(transaction, change);
    auditor.Add(transaction, "blob.delete", repository.ToString() + "@" + digest.ToString(),
                RowJson(link), nullptr);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, remove));
  return Deleted{position.sequence};
}

}  // namespace outport::store
