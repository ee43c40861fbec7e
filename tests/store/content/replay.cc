#include "tests/store/content/replay.h"

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

void Erase(const std::string& key, Rows& rows) {
  EXPECT_EQ(rows.erase(key), 1u) << "the log deletes what it did not make: " << Printable(key);
}

// Before a tombstone, the log has removed the last link.
void ExpectNoLink(const std::string& digest, const Rows& rows) {
  for (const auto& [key, value] : rows) {
    EXPECT_FALSE(key.starts_with(keys::kLinks) && key.ends_with(digest)) << Printable(key);
  }
}

void Apply(const v1::Change& change, Rows& rows) {
  const auto digest = [](const std::string& text) { return *Digest::Parse(text); };
  switch (change.kind_case()) {
    case v1::Change::kRepository: {
      const auto& made = change.repository();
      rows[keys::Repository(Repo(made.repository()))] = made.row().SerializeAsString();
      return;
    }
    case v1::Change::kTagSet: {
      const auto& set = change.tag_set();
      rows[keys::TagOf(Repo(set.repository()), *Tag::Parse(set.tag()))] =
          set.row().SerializeAsString();
      return;
    }
    case v1::Change::kManifestPut: {
      const auto& put = change.manifest_put();
      rows[keys::ManifestOf(Repo(put.repository()), digest(put.digest()))] =
          put.row().SerializeAsString();
      return;
    }
    case v1::Change::kTagDeleted: {
      const auto& gone = change.tag_deleted();
      Erase(keys::TagOf(Repo(gone.repository()), *Tag::Parse(gone.tag())), rows);
      return;
    }
    case v1::Change::kManifestDeleted: {
      const auto& gone = change.manifest_deleted();
      Erase(keys::ManifestOf(Repo(gone.repository()), digest(gone.digest())), rows);
      return;
    }
    case v1::Change::kReferrerSet: {
      const auto& set = change.referrer_set();
      rows[keys::Referrer(Repo(set.repository()), digest(set.subject()), digest(set.digest()))] =
          set.row().SerializeAsString();
      return;
    }
    case v1::Change::kReferrerDeleted: {
      const auto& gone = change.referrer_deleted();
      const auto subject = digest(gone.subject());
      Erase(keys::Referrer(Repo(gone.repository()), subject, digest(gone.digest())), rows);
      return;
    }
    case v1::Change::kUnlink: {
      const auto& gone = change.unlink();
      Erase(keys::Link(Repo(gone.repository()), digest(gone.digest())), rows);
      return;
    }
    case v1::Change::kTombstone:
      return ExpectNoLink(change.tombstone().digest(), rows);
    case v1::Change::kLink: {
      const auto& link = change.link();
      rows[keys::Link(Repo(link.repository()), digest(link.digest()))] =
          link.row().SerializeAsString();
      return;
    }
    default:
      FAIL() << "a change that no client makes: " << change.ShortDebugString();
  }
}

// Returns the row without what only the store has.
std::string Replicated(std::string_view prefix, const std::string& value) {
  if (prefix == keys::kManifests) {
    auto row = *ParseRow<v1::ManifestRow>(prefix, value);
    row.clear_lease_until_ms();
    return row.SerializeAsString();
  }
  if (prefix == keys::kLinks) {
    v1::LinkRow row;
    row.set_size_bytes(ParseRow<v1::LinkRow>(prefix, value)->size_bytes());
    return row.SerializeAsString();
  }
  return value;
}

}  // namespace

Rows ScanState(const MetaStore& meta) {
  Rows rows;
  for (const std::string_view prefix :
       {keys::kRepositories, keys::kTags, keys::kManifests, keys::kReferrers, keys::kLinks}) {
    ScanRange range{.prefix = std::string(prefix), .after = {}, .limit = 7};
    for (;;) {
      const auto found = meta.Scan(range);
      EXPECT_TRUE(found.has_value());
      for (const KeyValue& row : *found) rows.emplace(row.key, Replicated(prefix, row.value));
      if (found->size() < range.limit) break;
      range.after = found->back().key;
    }
  }
  return rows;
}

Rows ReplayLog(const MetaStore& meta) {
  Rows rows;
  uint64_t next = 1;
  for (;;) {
    const auto records = meta.ReadLog(next, 5, 1 << 20);
    EXPECT_TRUE(records.has_value());
    if (!records.has_value() || records->empty()) return rows;
    for (const LogRecord& record : *records) {
      EXPECT_EQ(record.position.sequence, next) << "the log has a gap";
      ++next;
      v1::Change change;
      EXPECT_TRUE(change.ParseFromString(record.record));
      Apply(change, rows);
    }
  }
}

}  // namespace outport::store
