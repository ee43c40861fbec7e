#include "store/gc/old_garbage.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/trash.h"
#include "store/gc/content_key.h"
#include "store/gc/manifest_content.h"

namespace outport::store {
namespace {

constexpr std::array<std::string_view, 3> kPrefixes = {keys::kLinks, keys::kManifests,
                                                       keys::kBlobs};

// Returns the prefix of the rows at the position.
std::string_view PrefixAt(const std::string& position) {
  const auto found = std::ranges::find_if(
      kPrefixes, [&](std::string_view prefix) { return position.starts_with(prefix); });
  return found == kPrefixes.end() ? kPrefixes.front() : *found;
}

template <class Source>
Result<bool> HasLinks(Source& source, const Digest& digest) {
  TRY(const std::vector<KeyValue> rows,
      source.Scan({.prefix = keys::LinkedIn(digest), .limit = 1}));
  return !rows.empty();
}

Result<Digest> DigestOfBlob(std::string_view key) {
  return Digest::Parse(keys::After(key, keys::kBlobs));
}

}  // namespace

Result<uint64_t> OldGarbage::Step() {
  TRY(const auto collector, ReadRow<v1::CollectorRow>(parts_.meta, keys::kCollector));
  if (collector.has_value() && collector->scanned()) return uint64_t{0};
  const std::string after = collector.has_value() ? collector->scan_after() : std::string();
  const std::string_view prefix = PrefixAt(after);
  TRY(const Page page, Read(prefix, after));
  if (prefix == keys::kBlobs && !page.keys.empty()) TRY_VOID(RemoveBlobs(page));
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    if (prefix != keys::kBlobs) {
      for (const std::string& key : page.keys) TRY_VOID(Change(transaction, prefix, key));
    }
    TRY_VOID(WritePosition(transaction, after, page));
    return parts_.lease.Check(transaction);
  }));
  return std::max<uint64_t>(page.rows, 1);
}

// Reads rows without locks. Skips corrupt rows: what they name stays. Stops early when it has found
// as many rows as one step may change.
Result<OldGarbage::Page> OldGarbage::Read(std::string_view prefix, const std::string& after) const {
  TRY(const std::vector<KeyValue> rows,
      parts_.meta.Scan({.prefix = std::string(prefix), .after = after, .limit = kRows}));
  Page page;
  for (const KeyValue& row : rows) {
    const Result<bool> needs = NeedsChange(row, prefix);
    if (IsCorrupt(needs)) {
      parts_.log.Warning("corrupt row skipped by the scan", {{"error", needs.error().message}});
    } else {
      TRY_VOID(needs);
      if (*needs) page.keys.push_back(row.key);
    }
    ++page.rows;
    page.last = row.key;
    if (page.keys.size() == kChanges) break;
  }
  // The order in which all transactions lock blobs: by digest, not by repository.
  if (prefix == keys::kLinks) {
    std::ranges::sort(page.keys, {}, [](const std::string& key) {
      const size_t end = key.find(keys::kSeparator);
      return end == std::string::npos ? key : key.substr(end);
    });
  }
  return page;
}

Result<bool> OldGarbage::NeedsChange(const KeyValue& row, std::string_view prefix) const {
  const MetaView& meta = parts_.meta;
  if (prefix == keys::kBlobs) {
    TRY(const auto blob, ParseRow<v1::BlobRow>(row.key, row.value));
    TRY(const Digest digest, DigestOfBlob(row.key));
    if (blob.state() == v1::BLOB_STATE_TRASHED) return false;
    TRY(const bool linked, HasLinks(meta, digest));
    return !linked;
  }
  TRY(const ContentKey content, ParseContentKey(row.key, prefix));
  if (prefix == keys::kLinks) {
    TRY(const auto link, ParseRow<v1::LinkRow>(row.key, row.value));
    if (link.condemned_ms() != 0 || link.due_ms() != 0) return false;
    TRY(const auto parent, Collection::FindReference(meta, content.repository, content.digest));
    return !parent.has_value();
  }
  TRY(const auto manifest, ParseRow<v1::ManifestRow>(row.key, row.value));
  TRY(const bool known, HasRow(meta, keys::Untagged(content.repository, content.digest)));
  if (known) return false;
  TRY(const bool referenced, IsManifestReferenced(meta, content, manifest));
  return !referenced;
}

Result<void> OldGarbage::Change(MetaTransaction& transaction, std::string_view prefix,
                                const std::string& key) const {
  return prefix == keys::kLinks ? CondemnLink(transaction, key) : AddCandidate(transaction, key);
}

Result<void> OldGarbage::CondemnLink(MetaTransaction& transaction, const std::string& key) const {
  TRY(const ContentKey content, ParseContentKey(key, keys::kLinks));
  const auto& [repository, digest] = content;
  TRY(const auto blob, transaction.GetForUpdate(keys::Blob(digest)));
  TRY(auto link, ReadRow<v1::LinkRow>(transaction, key));
  if (!link.has_value() || link->condemned_ms() != 0) return {};
  TRY(const auto parent, Collection::FindReference(transaction, repository, digest));
  if (parent.has_value()) return {};
  TRY_VOID(parts_.Now().Condemn(transaction, repository, digest, *link));
  return WriteRow(transaction, key, *link);
}

Result<void> OldGarbage::AddCandidate(MetaTransaction& transaction, const std::string& key) const {
  TRY(const ContentKey content, ParseContentKey(key, keys::kManifests));
  const auto& [repository, digest] = content;
  TRY(const auto row, LockRow<v1::ManifestRow>(transaction, key));
  if (!row.has_value()) return {};
  TRY(const bool referenced, IsManifestReferenced(transaction, content, *row));
  if (referenced) return {};
  return parts_.Now().AddCandidate(transaction, repository, digest);
}

Result<void> OldGarbage::RemoveBlobs(const Page& page) {
  TRY(ActiveRun* const run, run_());
  return run->Transact([&](MetaTransaction& transaction, v1::RunRow& next) -> Result<void> {
    for (const std::string& key : page.keys) {
      TRY(const Digest digest, DigestOfBlob(key));
      TRY(const auto blob, LockRow<v1::BlobRow>(transaction, key));
      if (!blob.has_value() || blob->state() == v1::BLOB_STATE_TRASHED) continue;
      TRY(const bool linked, HasLinks(transaction, digest));
      if (linked) continue;
      TRY_VOID(TrashBlob(transaction, next.id(), "", digest, *blob, parts_.Now().now_ms()));
      if (blob->object().empty()) continue;
      v1::RunCounts& removed = *next.mutable_removed();
      removed.set_blobs(removed.blobs() + 1);
      removed.set_blob_bytes(removed.blob_bytes() + blob->size_bytes());
    }
    return {};
  });
}

// The end of the rows of one kind is the beginning of the next kind. If the scan was requested
// again since the page was read, its position stays.
Result<void> OldGarbage::WritePosition(MetaTransaction& transaction, const std::string& after,
                                       const Page& page) {
  const std::string_view prefix = PrefixAt(after);
  TRY(auto row, LockRow<v1::CollectorRow>(transaction, keys::kCollector));
  if (!row.has_value()) row.emplace();
  if (row->scan_after() != after) return {};
  if (page.rows > 0) {
    row->set_scan_after(page.last);
  } else if (prefix == kPrefixes.back()) {
    row->set_scanned(true);
    row->clear_scan_after();
  } else {
    const auto* const next = std::ranges::find(kPrefixes, prefix) + 1;
    row->set_scan_after(std::string(*next));
  }
  return WriteRow(transaction, keys::kCollector, *row);
}

}  // namespace outport::store
