#include <memory>
#include <vector>

#include "outport/v1/upload.pb.h"
#include "registry/records/rows.h"
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
  EXPECT_EQ(CodeOf(Await(uploads_->CancelAny(cancelled, kAnn))), ErrorCode::kBlobUploadUnknown);
  store_.clock.Advance(std::chrono::hours(168));
  EXPECT_GE(uploads_->Expire(), 1u);
  EXPECT_FALSE(store_.PullBlob("a", Sha256("hello")).has_value());
  for (const std::string& id : {finished, appended, cancelled, expired}) {
    ASSERT_TRUE(Row(id).has_value());
    EXPECT_EQ(Row(id)->owner(), other->id());
  }
}

}  // namespace
}  // namespace outport::store
