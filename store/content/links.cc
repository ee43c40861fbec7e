#include "store/content/links.h"

#include <string>
#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "registry/service/listing.h"
#include "store/audit/row_json.h"
#include "store/content/repositories.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr size_t kMaxSources = 4096;

// Returns kUnsupported if a manifest of the repository refers to the blob.
Result<void> RequireUnreferenced(MetaTransaction& transaction, const RepositoryName& repository,
                                 const Digest& digest) {
  TRY(const auto parent, Collection::FindReference(transaction, repository, digest));
  if (!parent.has_value()) return {};
  return Error{ErrorCode::kUnsupported,
               "cannot delete blob " + digest.ToString() + " of " + repository.ToString() +
                   ": manifest " + parent->ToString() + " refers to it; delete the manifest first",
               {parent->ToString()}};
}

}  // namespace

Error Links::NothingToMount(const Digest& digest) {
  return Error{ErrorCode::kBlobUnknown,
               "cannot mount blob " + digest.ToString() +
                   ": no repository that you may pull from has the blob; push it",
               {digest.ToString()}};
}

Result<RepositoryName> Links::FindSource(const RepositoryName& repository, const Digest& digest,
                                         const std::optional<RepositoryName>& from,
                                         const Visible& visible) const {
  const RepositoryName& first = from.value_or(repository);
  if (visible(first)) {
    TRY(const bool linked, HasRow(parts_.meta, keys::Link(first, digest)));
    if (linked) return first;
  }
  if (from.has_value()) return NothingToMount(digest);
  const std::string linked_in = keys::LinkedIn(digest);
  const auto scan = [&](const std::string& prefix, const std::string& after,
                        size_t limit) -> Result<std::vector<std::string>> {
    TRY(const std::vector<KeyValue> rows,
        parts_.meta.Scan({.prefix = linked_in + prefix,
                          .after = after.empty() ? "" : linked_in + after,
                          .limit = limit}));
    std::vector<std::string> names;
    for (const KeyValue& row : rows) names.emplace_back(keys::After(row.key, linked_in));
    return names;
  };
  TRY(const Page found, ListVisible(visible, {.last = "", .limit = 1}, scan, kMaxSources));
  if (found.items.empty()) return NothingToMount(digest);
  return RepositoryName::Parse(found.items.front());
}

Result<PushedBlob> Links::Mount(const RepositoryName& repository, const Digest& digest,
                                const RepositoryName& source, const Actor& by) {
  const Collection collection(parts_.times, parts_.store_clock.NowMs());
  const std::string key = keys::Blob(digest);
  uint64_t size_bytes = 0;
  const Auditor auditor(by, parts_.clock);
  auto mount = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto row, LockRow<v1::BlobRow>(transaction, key));
    TRY(const bool linked, HasRow(transaction, keys::Link(source, digest)));
    if (!linked || !row.has_value() || !IsUsable(*row)) return NothingToMount(digest);
    size_bytes = row->size_bytes();
    return WriteLink(transaction, repository, digest, size_bytes, collection, auditor,
                     "blob.mount");
  };
  TRY(const LogPosition position, Transact(parts_.meta, mount));
  return PushedBlob{{digest, size_bytes}, position.sequence};
}

Result<Deleted> Links::Remove(const RepositoryName& repository, const Digest& digest,
                              const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto blob, LockRow<v1::BlobRow>(transaction, keys::Blob(digest)));
    const std::string key = keys::Link(repository, digest);
    TRY(const auto link, ReadRow<v1::LinkRow>(transaction, key));
    if (!link.has_value()) {
      TRY_VOID(RequireRepository(parts_.meta, repository));
      return Error{ErrorCode::kBlobUnknown,
                   "there is no blob " + digest.ToString() + " in " + repository.ToString(),
                   {digest.ToString()}};
    }
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY_VOID(RequireUnreferenced(transaction, repository, digest));
    const int64_t now_ms = parts_.store_clock.NowMs();
    TRY(const std::string run, RunOfClients(transaction, now_ms));
    TRY_VOID(TrashLink(transaction, run, repository, digest, *link, blob, now_ms));
    v1::LinkRow before;
    before.set_size_bytes(link->size_bytes());
    auditor.Add(transaction, "blob.delete", repository.ToString() + "@" + digest.ToString(),
                RowJson(before), nullptr);
    return {};
  };
  TRY(const LogPosition position, Transact(parts_.meta, remove));
  return Deleted{position.sequence};
}

}  // namespace outport::store
