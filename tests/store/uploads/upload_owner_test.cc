#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outport/v1/upload.pb.h"
#include "registry/records/rows.h"
#include "tests/store/gc/watched_stores.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

// Sessions of several processes.
class UploadOwnerTest : public UploadsTest {
 protected:
  // Makes the owner of a session another process, which lives.
  void Give(const std::string& id, Owner& owner) {
    ASSERT_TRUE(owner.Renew().has_value());
    const auto done = Transact(*store_.meta, [&](MetaTransaction& transaction) -> Result<void> {
      TRY(auto row, LockRow<v1::UploadRow>(transaction, keys::Upload(id)));
      row->set_owner(owner.id());
      return WriteRow(transaction, keys::Upload(id), *row);
    });
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
  std::optional<v1::UploadRow> Row(const std::string& id) {
    return ReadRow<v1::UploadRow>(*store_.meta, keys::Upload(id)).value();
  }
  // Another process that shares the metadata. It lives as long as the metadata stays open.
  std::unique_ptr<Owner> Other() {
    return std::make_unique<Owner>(*store_.meta, store_.store_clock, Owner::Access::kShared);
  }
  // Starts another process over the same open metadata.
  void StartNext() {
    uploads_.reset();
    ended_.push_back(std::move(store_.owner));  // the content refers to it
    store_.owner =
        std::make_unique<Owner>(*store_.meta, store_.store_clock, Owner::Access::kExclusive);
    ASSERT_TRUE(store_.owner->Renew().has_value());
    Configure(limits_);
    const Result<void> loaded = uploads_->Load();
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  }

  StoredUploads Stored(MetaStore& meta) {
    return StoredUploads({.meta = meta,
                          .bytes = *store_.bytes,
                          .clock = store_.clock,
                          .store_clock = store_.store_clock,
                          .owner = *store_.owner,
                          .boot_id = boot_id_,
                          .log = Log::Nowhere()});
  }
  // Puts a folder that is not empty in the place of the file, so that nobody can remove it.
  static void BlockRemoval(const std::filesystem::path& file) {
    ASSERT_TRUE(std::filesystem::remove(file));
    ASSERT_TRUE(std::filesystem::create_directory(file));
    ASSERT_TRUE(std::ofstream(file / "in-the-way").is_open());
  }

  std::vector<std::unique_ptr<Owner>> ended_;
};

TEST_F(UploadOwnerTest, AStartBecomesTheOwnerOfWhatItLoads) {
  const std::string id = Start();
  const std::string first = store_.owner->id();
  EXPECT_EQ(Row(id)->owner(), first);
  const int64_t used_ms = Row(id)->used_ms();
  store_.clock.Advance(std::chrono::hours(1));
  Restart();
  EXPECT_NE(store_.owner->id(), first);
  EXPECT_EQ(Row(id)->owner(), store_.owner->id());
  EXPECT_EQ(Row(id)->used_ms(), used_ms);  // a start is no use of the session
}

TEST_F(UploadOwnerTest, TheSessionsOfALivingProcessAreLeftAlone) {
  const std::string theirs = Start();
  const std::string mine = Start();
  ASSERT_TRUE(Append(theirs, ScriptedBody("hello")).has_value());
  const auto other = Other();
  Give(theirs, *other);
  ASSERT_TRUE(store_.bytes->Create(DigestAlgorithm::kSha256, "in-progress").has_value());
  StartNext();
  EXPECT_EQ(StatCode(theirs), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(mine), 0u);
  EXPECT_EQ(Row(theirs)->owner(), other->id());
  EXPECT_EQ(store_.Files("uploads").size(), 3u);

  // It has ended: its lease is no longer renewed.
  store_.clock.Advance(Owner::kDuration);
  StartNext();
  EXPECT_EQ(Received(theirs), 5u);
  EXPECT_EQ(Row(theirs)->owner(), store_.owner->id());
  EXPECT_EQ(store_.Files("uploads").size(), 2u);
}

TEST_F(UploadOwnerTest, OldSessionsOfALivingProcessDoNotExpireHere) {
  const std::string theirs = Start();
  store_.clock.Advance(std::chrono::hours(200));
  const auto other = Other();
  Give(theirs, *other);
  StartNext();
  EXPECT_TRUE(Row(theirs).has_value());
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
}

// This process was so slow that another one took its session.
TEST_F(UploadOwnerTest, ASessionThatWasTakenCannotBeFinishedOrRemoved) {
  Configure({.max_uncheckpointed_bytes = 1});
  const auto other = Other();
  const std::string finished = Start();
  const std::string appended = Start();
  const std::string cancelled = Start();
  const std::string expired = Start();
  for (const std::string& id : {finished, appended, cancelled, expired}) Give(id, *other);
  EXPECT_EQ(CodeOf(Finish(finished, Sha256("hello"), ScriptedBody("hello", 5))),
            ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(CodeOf(Append(appended, ScriptedBody("hello"))), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Await(uploads_->CancelAny(cancelled, kAnn))->owner, other->id());
  EXPECT_FALSE(Row(cancelled).has_value());
  store_.clock.Advance(std::chrono::hours(168));
  EXPECT_GE(uploads_->Expire(), 1u);
  EXPECT_FALSE(store_.PullBlob("a", Sha256("hello")).has_value());
  for (const std::string& id : {finished, appended, expired}) {
    ASSERT_TRUE(Row(id).has_value());
    EXPECT_EQ(Row(id)->owner(), other->id());
  }
}

// Another process takes the session over just before the transaction that removes it.
TEST_F(UploadOwnerTest, ASessionThatIsTakenDuringItsRemovalStays) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  const auto other = Other();
  WatchedMeta meta(*store_.meta);
  meta.on_begin = [&] { Give(id, *other); };
  UploadSession session(id, Repo("a"), "ann", DigestAlgorithm::kSha256, 0);
  Stored(meta).Forget(session);
  ASSERT_TRUE(Row(id).has_value());
  EXPECT_EQ(Row(id)->owner(), other->id());
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
}

// As after a kill between the two, if the row went first.
TEST_F(UploadOwnerTest, NoRowGoesBeforeItsBytes) {
  const std::string id = Start();
  const std::filesystem::path file = store_.Files("uploads").at(0);
  BlockRemoval(file);
  UploadSession session(id, Repo("a"), "ann", DigestAlgorithm::kSha256, 0);
  StoredUploads stored = Stored(*store_.meta);
  stored.Forget(session);
  EXPECT_TRUE(Row(id).has_value());
  const auto take_over = [&] {
    std::string after;
    return stored.TakeOverPage(after,
                               {.is_dead = [](const std::string&) -> Result<bool> { return true; },
                                .discards_surplus = true});
  };
  const Result<StoredUploads::Loaded> failed = take_over();
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->lost + failed->expired, 0u);
  EXPECT_TRUE(Row(id).has_value());
  std::filesystem::remove_all(file);
  const Result<StoredUploads::Loaded> done = take_over();
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->lost, 1u);
  EXPECT_FALSE(Row(id).has_value());
}

TEST_F(UploadOwnerTest, ACancellationThatCannotDiscardTheBytesKeepsTheSession) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  const std::filesystem::path file = store_.Files("uploads").at(0);
  BlockRemoval(file);
  const uint64_t audited = store_.meta->AuditHead()->sequence;
  EXPECT_FALSE(Await(uploads_->CancelAny(id, kAnn)).has_value());
  EXPECT_TRUE(Row(id).has_value());
  EXPECT_EQ(Received(id), 5u);
  EXPECT_EQ(store_.meta->AuditHead()->sequence, audited);
  std::filesystem::remove_all(file);
  EXPECT_TRUE(Await(uploads_->CancelAny(id, kAnn)).has_value());
  EXPECT_FALSE(Row(id).has_value());
  EXPECT_EQ(store_.meta->AuditHead()->sequence, audited + 1);
}

// An administrator's view of the sessions of another process.
class UploadsElsewhereTest : public UploadOwnerTest {
 protected:
  UploadsElsewhereTest() { EXPECT_TRUE(other_->Renew().has_value()); }

  std::string StartElsewhere() {
    const auto started = Await(theirs_.Start(kAnn, Repo("a"), DigestAlgorithm::kSha256));
    EXPECT_TRUE(started.has_value());
    return started->id;
  }
  Result<UploadStatus> AppendElsewhere(const std::string& id, ScriptedBody body) {
    return Await(theirs_.Append(kAnn, Repo("a"), id, std::nullopt, body));
  }
  Result<Uploads::Cancelled> Cancel(const std::string& id) {
    return Await(uploads_->CancelAny(id, Actor::Administrator("eve")));
  }

  const std::unique_ptr<Owner> other_ = Other();
  Uploads theirs_{{.meta = *store_.meta,
                   .bytes = *store_.bytes,
                   .blobs = store_.content->blobs,
                   .disk = io_.pool(),
                   .clock = store_.clock,
                   .store_clock = store_.store_clock,
                   .owner = *other_,
                   .metrics = metrics_,
                   .log = Log::Nowhere(),
                   .boot_id = boot_id_,
                   .limits = {.max_uncheckpointed_bytes = 5}}};
};

TEST_F(UploadsElsewhereTest, TheListHasTheSessionsOfAllProcesses) {
  const std::string mine = Start("bob");
  const std::string theirs = StartElsewhere();
  ASSERT_TRUE(AppendElsewhere(theirs, ScriptedBody("hello")).has_value());
  for (const bool ended : {false, true}) {
    SCOPED_TRACE(ended);
    std::map<std::string, Uploads::Overview> listed;
    std::string after;
    do {
      const auto page = uploads_->List(after, 1).value();
      EXPECT_EQ(page.rows.size(), 1u);
      for (const auto& upload : page.rows) listed[upload.id] = upload;
      after = page.next;
    } while (!after.empty());
    ASSERT_EQ(listed.size(), 2u);
    EXPECT_EQ(listed[mine].owner, store_.owner->id());
    EXPECT_EQ(listed[mine].user, "bob");
    EXPECT_FALSE(listed[mine].owner_ended);
    const Uploads::Overview& other = listed[theirs];
    EXPECT_EQ(other.owner, other_->id());
    EXPECT_EQ(other.user, "ann");
    EXPECT_EQ(other.repository, "a");
    EXPECT_EQ(other.size_bytes, 5u);
    EXPECT_EQ(other.used_ms, Row(theirs)->used_ms());
    EXPECT_EQ(other.owner_ended, ended);
    EXPECT_FALSE(other.active);
    store_.clock.Advance(Owner::kDuration);
  }
}

TEST_F(UploadsElsewhereTest, ALivingProcessEndsACancelledSessionAtItsNextStep) {
  const std::string appended = StartElsewhere();
  const std::string finished = StartElsewhere();
  const std::string idle = StartElsewhere();
  for (const std::string& id : {appended, finished, idle}) {
    const Result<Uploads::Cancelled> cancelled = Cancel(id);
    ASSERT_TRUE(cancelled.has_value()) << cancelled.error().message;
    EXPECT_EQ(cancelled->owner, other_->id());
    EXPECT_EQ(CodeOf(Cancel(id)), ErrorCode::kBlobUploadUnknown);
  }
  EXPECT_EQ(store_.Files("uploads").size(), 3u);
  EXPECT_EQ(CodeOf(AppendElsewhere(appended, ScriptedBody("hello"))),
            ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(store_.Files("uploads").size(), 2u);
  ScriptedBody last("hello");
  EXPECT_EQ(
      CodeOf(Await(theirs_.Finish(kAnn, Repo("a"), finished, std::nullopt, Sha256("hello"), last))),
      ErrorCode::kBlobUploadUnknown);
  EXPECT_FALSE(store_.PullBlob("a", Sha256("hello")).has_value());
  EXPECT_EQ(theirs_.EndCancelled(), 1u);
  EXPECT_TRUE(store_.Files("uploads").empty());
  EXPECT_EQ(CodeOf(theirs_.Stat(kAnn, Repo("a"), idle)), ErrorCode::kBlobUploadUnknown);
  EXPECT_TRUE(uploads_->List("", 10)->rows.empty());
}

TEST_F(UploadsElsewhereTest, OtherSessionsGoOn) {
  const std::string id = StartElsewhere();
  ASSERT_TRUE(Cancel(StartElsewhere()).has_value());
  EXPECT_EQ(theirs_.EndCancelled(), 1u);
  EXPECT_TRUE(AppendElsewhere(id, ScriptedBody("hello")).has_value());
}

TEST_F(UploadsElsewhereTest, TheSessionOfAProcessThatHasEndedIsCancelledAtOnce) {
  const std::string id = StartElsewhere();
  ASSERT_TRUE(AppendElsewhere(id, ScriptedBody("hell")).has_value());  // without a checkpoint
  store_.clock.Advance(Owner::kDuration);
  const Result<Uploads::Cancelled> cancelled = Cancel(id);
  ASSERT_TRUE(cancelled.has_value()) << cancelled.error().message;
  EXPECT_EQ(cancelled->owner, "");
  EXPECT_EQ(cancelled->size_bytes, 4u);
  EXPECT_FALSE(Row(id).has_value());
  EXPECT_TRUE(store_.Files("uploads").empty());
  const uint64_t head = store_.meta->AuditHead()->sequence;
  const std::string record = store_.meta->ReadAudit(head, 1, SIZE_MAX)->at(0).record;
  for (const char* part : {"\"upload.cancel\"", "\"eve\"", "\"ann\"", "\"size_bytes\":4"}) {
    EXPECT_TRUE(record.contains(part)) << part << " is not in " << record;
  }
}

TEST_F(UploadsElsewhereTest, ACancellationThatCannotDiscardTheBytesChangesNothing) {
  const std::string id = StartElsewhere();
  ASSERT_TRUE(AppendElsewhere(id, ScriptedBody("hell")).has_value());
  store_.clock.Advance(Owner::kDuration);
  const std::filesystem::path file = store_.Files("uploads").at(0);
  BlockRemoval(file);
  const uint64_t audited = store_.meta->AuditHead()->sequence;
  EXPECT_FALSE(Cancel(id).has_value());
  EXPECT_TRUE(Row(id).has_value());
  EXPECT_EQ(store_.meta->AuditHead()->sequence, audited);
  std::filesystem::remove_all(file);
  EXPECT_TRUE(Cancel(id).has_value());
  EXPECT_FALSE(Row(id).has_value());
  EXPECT_EQ(store_.meta->AuditHead()->sequence, audited + 1);
}

}  // namespace
}  // namespace outport::store
