#include "store/gc/undo.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/manifest_push.h"
#include "store/content/manifest_restore.h"
#include "store/content/pulls.h"
#include "store/content/tag_history.h"
#include "store/content/trash.h"
#include "store/gc/collector_jobs.h"
#include "store/gc/link_restore.h"
#include "store/gc/manifest_content.h"
#include "store/gc/runs.h"

namespace outport::store {
namespace {

constexpr int kMaxPasses = 32;  // more than any nesting of indexes

// The content is gone or needs too much that is gone, or a rule forbids the tag. Such a failure
// ends only this restore: a manifest of one client must not keep the content of others away.
bool IsLoss(const Error& error) {
  return error.code == ErrorCode::kManifestUnknown || error.code == ErrorCode::kManifestInvalid ||
         error.code == ErrorCode::kManifestBlobUnknown || error.code == ErrorCode::kDenied ||
         (error.code == ErrorCode::kFailedPrecondition && !error.items.empty());
}

struct ReturningTag {
  Tag tag;
  int64_t updated_ms = 0;
  std::optional<v1::PullRow> pull = {};
};

// A manifest that the repository has, and the tags to set on it.
struct TagTarget {
  const ContentKey& content;
  const Manifest& manifest;
  const std::string& body;
  std::vector<ReturningTag> tags = {};  // in byte order
  std::string why = {};                 // TagEventRow.why
};

// Sets those of the tags that do not exist, and returns their number. They keep their times:
// otherwise retention would take them for the newest tags, or for tags that nobody pulls. The push
// locks blobs and manifests, which come before tags in the order of locks.
Result<uint64_t> SetAbsentTags(MetaTransaction& transaction, const TagTarget& target,
                               const Collection& collection, const Auditor& auditor) {
  const auto& [repository, digest] = target.content;
  std::vector<Tag> absent;
  std::vector<int64_t> times_ms;
  const auto push = [&] {
    return ManifestPush({.repository = repository,
                         .manifest = target.manifest,
                         .digest = digest,
                         .tags = absent,
                         .tag_times_ms = times_ms,
                         .body = target.body,
                         .why = target.why,
                         .collection = collection,
                         .auditor = auditor})
        .Run(transaction);
  };
  TRY_VOID(push());
  std::vector<const ReturningTag*> pulled;
  for (const ReturningTag& returning : target.tags) {
    TRY(const auto row, transaction.GetForUpdate(keys::TagOf(repository, returning.tag)));
    if (row.has_value()) continue;
    absent.push_back(returning.tag);
    times_ms.push_back(returning.updated_ms);
    if (returning.pull.has_value()) pulled.push_back(&returning);
  }
  if (!absent.empty()) TRY_VOID(push());
  for (const ReturningTag* returning : pulled) {
    TRY_VOID(RestorePull(transaction, repository, returning->tag.ToString(), *returning->pull));
  }
  return absent.size();
}

}  // namespace

Result<bool> IsBack(MetaTransaction& transaction, const KeyValue& row) {
  const auto trash = ParseRow<v1::TrashRow>(row.key, row.value);
  if (!trash.has_value()) return false;
  if (trash->has_tag()) {
    const auto repository = RepositoryName::Parse(trash->tag().repository());
    const auto tag = Tag::Parse(trash->tag().tag());
    if (!repository.has_value() || !tag.has_value()) return false;
    return HasRow(transaction, keys::TagOf(*repository, *tag));
  }
  const auto content = ContentOf(trash->link().repository(), trash->link().digest());
  if (!content.has_value()) return false;
  return HasRow(transaction, keys::Link(content->repository, content->digest));
}

Undo::Undo(const CollectorParts& parts, std::unique_ptr<ActiveRun> run)
    : parts_(parts), run_(std::move(run)) {}

std::string_view Undo::KindOf(Phase phase) {
  switch (phase) {
    case Phase::kLinks:
      return trash_kind::kLink;
    case Phase::kManifests:
      return trash_kind::kManifest;
    case Phase::kTags:
    case Phase::kDone:
      break;
  }
  return trash_kind::kTag;
}

// Returns how many of the rows it is done with.
Result<uint64_t> Undo::Restore(const std::vector<KeyValue>& rows) {
  switch (phase_) {
    case Phase::kLinks:
      TRY_VOID(RestoreLinks(rows));
      break;
    case Phase::kManifests:
      return RestoreManifests(rows);
    case Phase::kTags:
      TRY_VOID(ReadTags(rows));
      break;
    case Phase::kDone:
      break;
  }
  return rows.size();
}

Result<uint64_t> Undo::Step() {
  while (phase_ != Phase::kDone) {
    if (!tags_.empty()) return RestoreTags();
    TRY(const std::vector<KeyValue> rows,
        parts_.meta.Scan({.prefix = keys::TrashOf(run_->id(), KindOf(phase_)),
                          .after = after_,
                          .limit = kBatch}));
    if (rows.empty()) {
      NextPhase();
      continue;
    }
    TRY(const uint64_t done, Restore(rows));
    after_ = rows[done - 1].key;  // not before: a step that waits too long for a lock is repeated
    if (phase_ != Phase::kTags || tags_.empty()) return done;
  }
  TRY_VOID(Finish());
  return uint64_t{0};
}

// Returns how much of the run did not come back. That includes the trash that was freed before; a
// blob counts with its links. Nothing frees the trash of a run that is being undone.
uint64_t Undo::NotRestored(const v1::RunRow& run) const {
  const v1::RunCounts& freed = run.freed();
  return freed.links() + freed.manifests() + freed.tags() + lost_links_ + lost_in_pass_ +
         lost_tags_;
}

void Undo::NextPhase() {
  after_.clear();
  switch (phase_) {
    case Phase::kLinks:
      phase_ = Phase::kManifests;
      return;
    case Phase::kManifests:
      if (deferred_ > 0 && !last_pass_) {
        last_pass_ = restored_in_pass_ == 0 || ++pass_ == kMaxPasses;
        deferred_ = 0;
        restored_in_pass_ = 0;
        lost_in_pass_ = 0;
      } else {
        phase_ = Phase::kTags;
      }
      return;
    case Phase::kTags:
    case Phase::kDone:
      phase_ = Phase::kDone;
      return;
  }
}

Result<void> Undo::Finish() {
  return run_->Transact([&](MetaTransaction&, v1::RunRow& next) -> Result<void> {
    next.set_state(v1::RUN_STATE_UNDONE);
    next.set_not_restored(NotRestored(next));
    next.set_undone_ms(parts_.store_clock.NowMs());
    return {};
  });
}

Result<void> Undo::Fail(const Error& why) {
  return run_->Transact([&](MetaTransaction&, v1::RunRow& next) -> Result<void> {
    next.set_state(v1::RUN_STATE_DONE);
    next.set_not_restored(NotRestored(next));
    next.set_failure("the undo failed: " + why.message);
    return {};
  });
}

Result<void> Undo::RestoreLinks(const std::vector<KeyValue>& rows) {
  TRY(const LinkRestore restore, LinkRestore::Parse(rows));
  uint64_t lost = 0;
  TRY_VOID(run_->Transact([&](MetaTransaction& transaction, v1::RunRow& next) -> Result<void> {
    v1::RunCounts restored;
    TRY(lost, restore.Run(transaction, parts_.Now(), run_->auditor(), restored));
    Add(*next.mutable_restored(), restored);
    return {};
  }));
  lost_links_ += lost;
  return {};
}

Result<bool> Undo::LacksChild(const ContentKey& content, const std::string& media_type) const {
  const Result<std::optional<Manifest>> manifest =
      ReadManifest(parts_.meta, content.digest, media_type);
  if (!manifest.has_value() || !manifest->has_value()) return false;
  for (const Descriptor& child : (*manifest)->manifests) {
    TRY(const bool here, HasRow(parts_.meta, keys::ManifestOf(content.repository, child.digest)));
    if (!here) return true;
  }
  return false;
}

// Returns false if the manifest is lost.
Result<bool> Undo::RestoreOrDefer(const KeyValue& row) {
  TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
  TRY(const ContentKey content,
      ContentOf(trash.manifest().repository(), trash.manifest().digest()));
  if (!last_pass_) {
    TRY(const bool lacks, LacksChild(content, trash.manifest().row().media_type()));
    if (lacks) {
      ++deferred_;
      return true;
    }
  }
  TRY(const bool still, HasRow(parts_.meta, row.key));
  if (!still) return true;
  TRY(const bool restored, RestoreManifest(content));
  if (restored) ++restored_in_pass_;
  return restored;
}

// Returns how many of the rows it is done with.
Result<uint64_t> Undo::RestoreManifests(const std::vector<KeyValue>& rows) {
  const StepTime time(parts_.clock);
  uint64_t done = 0;
  uint64_t lost = 0;
  for (const KeyValue& row : rows) {
    if (done > 0 && time.IsOver()) break;
    TRY(const bool kept, RestoreOrDefer(row));
    if (!kept) ++lost;
    ++done;
  }
  lost_in_pass_ += lost;  // not before: a step that is repeated counts no row twice
  return done;
}

// Restores one manifest without its tags, and the children that the repository lacks. Each of them
// is a transaction of the run, which counts it. Returns false if the content is gone.
Result<bool> Undo::RestoreManifest(const ContentKey& content) {
  const ManifestRestore restore({.meta = parts_.meta,
                                 .clock = parts_.clock,
                                 .store_clock = parts_.store_clock,
                                 .times = parts_.times});
  const auto count = [&](MetaTransaction& transaction) {
    return run_->Write(transaction, [](MetaTransaction&, v1::RunRow& next) -> Result<void> {
      next.mutable_restored()->set_manifests(next.restored().manifests() + 1);
      return {};
    });
  };
  const Result<LogPosition> put = restore.Run({.repository = content.repository,
                                               .digest = content.digest,
                                               .tags = {},
                                               .why = "undo " + run_->id(),
                                               .each = count,
                                               .committed = [&] { run_->Committed(); }},
                                              run_->auditor().actor());
  if (!put.has_value() && IsLoss(put.error())) return false;
  TRY_VOID(put);
  return true;
}

// Sets those of the tags that do not exist on a manifest of the repository, and takes all of them
// out of the trash. Returns false if the manifest is gone, or if a rule forbids a tag.
Result<bool> Undo::SetTags(const ContentKey& content, const TrashedTags& tags) {
  const std::string key = keys::ManifestOf(content.repository, content.digest);
  TRY(const auto row, ReadRow<v1::ManifestRow>(parts_.meta, key));
  if (!row.has_value()) return false;
  const Result<std::optional<Manifest>> manifest =
      ReadManifest(parts_.meta, content.digest, row->media_type());
  TRY(const auto body, parts_.meta.Get(keys::Content(content.digest)));
  if (!manifest.has_value() || !manifest->has_value() || !body.has_value()) return false;
  TagTarget target{content, **manifest, *body, {}, "undo " + run_->id()};
  for (const auto& [tag, trashed] : tags) {
    target.tags.push_back({.tag = tag, .updated_ms = trashed.updated_ms, .pull = trashed.pull});
  }
  const Result<void> set = run_->Transact([&](MetaTransaction& transaction,
                                              v1::RunRow& next) -> Result<void> {
    TRY(const uint64_t count, SetAbsentTags(transaction, target, parts_.Now(), run_->auditor()));
    next.mutable_restored()->set_tags(next.restored().tags() + count);
    for (const auto& [tag, trashed] : tags) TRY_VOID(transaction.Delete(trashed.key));
    return {};
  });
  if (!set.has_value() && IsLoss(set.error())) return false;
  TRY_VOID(set);
  return true;
}

Result<void> Undo::ReadTags(const std::vector<KeyValue>& rows) {
  std::map<ContentKey, TrashedTags> manifests;
  std::vector<std::string> changed;  // keys of rows
  const TagHistory history(parts_.meta);
  for (const KeyValue& row : rows) {
    TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
    TRY(ContentKey content, ContentOf(trash.tag().repository(), trash.tag().row().digest()));
    TRY(Tag tag, Tag::Parse(trash.tag().tag()));
    // Somebody has decided about the tag since: it stays as it is, also if it was deleted again.
    TRY(const bool stays,
        history.ChangedAfterDeletion(content.repository, tag, trash.removed_ms()));
    if (stays) {
      changed.push_back(row.key);
      continue;
    }
    TrashedTag trashed{.key = row.key, .updated_ms = trash.tag().row().updated_ms()};
    if (trash.tag().has_pull()) trashed.pull = trash.tag().pull();
    manifests[std::move(content)].emplace(std::move(tag), std::move(trashed));
  }
  if (!changed.empty()) {
    TRY_VOID(run_->Transact([&](MetaTransaction& transaction, v1::RunRow&) -> Result<void> {
      for (const std::string& key : changed) TRY_VOID(transaction.Delete(key));
      return {};
    }));
  }
  tags_ = std::move(manifests);
  return {};
}

// The tags of a manifest come back in one transaction for each page. Returns how many tags this
// step is done with.
Result<uint64_t> Undo::RestoreTags() {
  const StepTime time(parts_.clock);
  uint64_t done = 0;
  while (!tags_.empty() && (done == 0 || !time.IsOver())) {
    const auto& [content, tags] = *tags_.begin();
    TRY(bool here, HasRow(parts_.meta, keys::ManifestOf(content.repository, content.digest)));
    if (!here) {
      // Another run removed the manifest after this one had deleted its tags.
      TRY(here, RestoreManifest(content));
    }
    bool set = false;
    if (here) {
      TRY(set, SetTags(content, tags));
    }
    if (!set) lost_tags_ += tags.size();
    done += tags.size();
    tags_.erase(tags_.begin());
  }
  return done;
}

}  // namespace outport::store
