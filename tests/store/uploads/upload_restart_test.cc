#include <filesystem>
#include <vector>

#include "registry/records/keys.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

class UploadRestartTest : public UploadsTest {
 protected:
  std::filesystem::path FileOf(const std::string& id) const { return store_.root / "uploads" / id; }
  size_t Rows() {
    return store_.meta->Scan({.prefix = std::string(keys::kUploads), .after = {}})->size();
  }
};

TEST_F(UploadRestartTest, ASessionContinuesAfterAKill) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ScriptedBody cut(" wo", 6);
  cut.CutAtTheEnd();
  ASSERT_FALSE(AppendFrom(id, cut).has_value());
  Restart();
  EXPECT_EQ(Received(id), 8u);
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody("x", 1), ByteRange{11, 1})), ErrorCode::kRangeInvalid);
  EXPECT_EQ(Append(id, ScriptedBody("rld", 3), ByteRange{8, 3})->size_bytes, 11u);
  Restart();
  ASSERT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody("", 0)).has_value());
  EXPECT_EQ(*store_.PullBlob("a", Sha256("hello world")), "hello world");
  EXPECT_EQ(Metric("outport_store_uploads_recovered_total"), 2.0);
  EXPECT_EQ(Metric("outport_store_uploads_unrecoverable_total"), 0.0);
}

// A kill in the middle of a request keeps all written bytes, acknowledged or not.
TEST_F(UploadRestartTest, TheBytesOfAKilledRequestCount) {
  const std::string id = Start();
  const std::string content(3 << 20, 'z');
  ScriptedBody body(content, content.size());
  body.HeldAtTheEnd();
  auto killed = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body));
  body.AwaitHold();
  const uint64_t before = Received(id);
  EXPECT_GT(before, 0u);
  const std::string left = store_.root / "left";
  std::filesystem::copy_file(FileOf(id), left);
  body.Release();
  EXPECT_TRUE(killed.get().has_value());
  std::filesystem::rename(left, FileOf(id));
  Restart();
  EXPECT_GE(Received(id), before);
  const std::string rest = content.substr(Received(id));
  EXPECT_TRUE(Finish(id, Sha256(content), ScriptedBody(rest, rest.size())).has_value());
}

TEST_F(UploadRestartTest, AfterAnotherBootOnlyCheckpointedBytesCount) {
  Configure({.max_uncheckpointed_bytes = 4});
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ASSERT_TRUE(Append(id, ScriptedBody(" wo")).has_value());
  Reboot();
  EXPECT_EQ(Received(id), 5u);
  ASSERT_TRUE(Append(id, ScriptedBody(" w")).has_value());
  Restart();
  EXPECT_EQ(Received(id), 7u);
  ASSERT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody("orld", 4)).has_value());
}

TEST_F(UploadRestartTest, IdleSessionsAreCheckpointed) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  const auto never = std::chrono::steady_clock::time_point::max();
  uploads_->CheckpointIdle(std::chrono::seconds(1), never);
  Reboot();
  EXPECT_EQ(Received(id), 0u);
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  store_.clock.Advance(std::chrono::seconds(1));
  uploads_->CheckpointIdle(std::chrono::seconds(1), never);
  Reboot();
  EXPECT_EQ(Received(id), 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello"), ScriptedBody("", 0)).has_value());
}

TEST_F(UploadRestartTest, FinishedAndCancelledSessionsDoNotComeBack) {
  const std::string finished = Start();
  ASSERT_TRUE(Finish(finished, Sha256("hello"), ScriptedBody("hello", 5)).has_value());
  const std::string again = Start();  // the blob is stored already
  ASSERT_TRUE(Finish(again, Sha256("hello"), ScriptedBody("hello", 5)).has_value());
  const std::string wrong = Start();
  ASSERT_FALSE(Finish(wrong, Sha256("other"), ScriptedBody("hello", 5)).has_value());
  const std::string cancelled = Start();
  ASSERT_TRUE(Append(cancelled, ScriptedBody("hello")).has_value());
  ASSERT_TRUE(Await(uploads_->Cancel(kAnn, Repo("a"), cancelled)).has_value());
  EXPECT_EQ(Rows(), 0u);
  EXPECT_TRUE(store_.Files("uploads").empty());
  Restart();
  for (const std::string& id : {finished, again, wrong, cancelled}) {
    EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  }
}

TEST_F(UploadRestartTest, ASessionStaysItsOwners) {
  const std::string id = Start();
  Restart();
  EXPECT_EQ(StatCode(id, "bob"), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(StatCode(id, "ann", "b"), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(id), 0u);
}

TEST_F(UploadRestartTest, ASessionWithoutItsBytesIsUnknown) {
  Configure({.max_uncheckpointed_bytes = 1});
  const std::string gone = Start();
  const std::string cut = Start();
  const std::string gone_later = Start();
  for (const std::string& id : {gone, cut, gone_later}) {
    ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  }
  std::filesystem::remove(FileOf(gone));
  std::filesystem::resize_file(FileOf(cut), 4);
  Restart();
  EXPECT_EQ(StatCode(gone), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(StatCode(cut), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Metric("outport_store_uploads_unrecoverable_total"), 2.0);
  EXPECT_EQ(Received(gone_later), 5u);
  std::filesystem::remove(FileOf(gone_later));
  EXPECT_EQ(CodeOf(Append(gone_later, ScriptedBody("x"))), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(StatCode(gone_later), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Metric("outport_store_uploads_unrecoverable_total"), 3.0);
  EXPECT_EQ(Rows(), 0u);
  EXPECT_TRUE(store_.Files("uploads").empty());
}

TEST_F(UploadRestartTest, SessionsExpireWhileTheStoreIsDown) {
  const std::string old = Start();
  store_.clock.Advance(std::chrono::hours(1));
  const std::string young = Start();
  store_.clock.Advance(std::chrono::hours(167));
  Restart();
  EXPECT_EQ(StatCode(old), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Received(young), 0u);
  store_.clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(uploads_->Expire(), 1u);
  EXPECT_EQ(Rows(), 0u);
  EXPECT_TRUE(store_.Files("uploads").empty());
}

// A checkpoint does not count as use of the session.
TEST_F(UploadRestartTest, AnAbandonedSessionExpires) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  Restart();
  store_.clock.Advance(std::chrono::hours(167));
  uploads_->CheckpointIdle(std::chrono::seconds(0), std::chrono::steady_clock::time_point::max());
  store_.clock.Advance(std::chrono::hours(1));
  EXPECT_EQ(uploads_->Expire(), 1u);
}

TEST_F(UploadRestartTest, NoMoreSessionsAreLoadedThanMayBeOpen) {
  for (int i = 0; i < 5; ++i) Start();
  limits_.sessions.sessions = 2;
  Restart();
  EXPECT_EQ(Rows(), 2u);
  EXPECT_EQ(store_.Files("uploads").size(), 2u);
  EXPECT_EQ(CodeOf(Await(uploads_->Start(kAnn, Repo("a"), DigestAlgorithm::kSha256))),
            ErrorCode::kTooManyRequests);
}

// One user has all sessions. Another one begins a session at once, and costs an empty one.
TEST_F(UploadRestartTest, AFullTableHasRoomForAnotherUserAfterARestart) {
  limits_.sessions.sessions = 16;
  Configure(limits_);
  std::vector<std::string> ids;
  for (int i = 0; i < 8; ++i) ids.push_back(Start());
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(Append(ids[i], ScriptedBody("hello")).has_value());
  limits_.sessions.sessions = 8;
  Restart();
  EXPECT_EQ(CodeOf(Await(uploads_->Start(kAnn, Repo("a"), DigestAlgorithm::kSha256))),
            ErrorCode::kTooManyRequests);
  const std::string bobs = Start("bob");
  ASSERT_NE(bobs, "");
  EXPECT_EQ(StatCode(ids[7]), ErrorCode::kBlobUploadUnknown);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(Received(ids[i]), 5u);
  EXPECT_EQ(Rows(), 8u);
  const auto start = [&](const std::string& user) {
    return Await(uploads_->Start(UserNamed(user), Repo("a"), DigestAlgorithm::kSha256));
  };
  EXPECT_EQ(CodeOf(start("carol")), ErrorCode::kTooManyRequests) << "no session of ann is empty";
  store_.clock.Advance(std::chrono::hours(1));
  EXPECT_TRUE(start("carol").has_value());
  EXPECT_EQ(uploads_->Stat(UserNamed("bob"), Repo("a"), bobs)->size_bytes, 0u);
}

TEST_F(UploadRestartTest, BytesThatNoRowNamesAreDiscarded) {
  ASSERT_TRUE(store_.bytes->Create(DigestAlgorithm::kSha256, "nobody").has_value());
  Restart();
  EXPECT_TRUE(store_.Files("uploads").empty());
}

TEST_F(UploadRestartTest, Sha512IsHashedOnTheWayAndAgainAfterARestart) {
  const std::string content = "hello world";
  const Digest sha512 = Digest::Of(DigestAlgorithm::kSha512, AsBytes(content));
  for (const auto began : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    for (const Digest& digest : {sha512, Sha256(content)}) {
      const std::string repository = RandomHex(4);
      const std::string id = Start("ann", repository, began);
      ScriptedBody first("hello", 5);
      ScriptedBody rest(" world", 6);
      const RepositoryName repo = Repo(repository);
      ASSERT_TRUE(Await(uploads_->Append(kAnn, repo, id, std::nullopt, first)).has_value());
      Restart();
      const auto pushed = Await(uploads_->Finish(kAnn, repo, id, std::nullopt, digest, rest));
      ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
      EXPECT_EQ(pushed->info.digest, digest);
      EXPECT_EQ(*store_.PullBlob(repository, digest), content);
    }
  }
}

}  // namespace
}  // namespace outport::store
