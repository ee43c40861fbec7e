#include <set>

#include "registry/records/keys.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

class UploadAdminTest : public UploadsTest {
 protected:
  static Actor Eve() { return Actor::Administrator("eve", "10.0.0.1", "request"); }
  Result<uint64_t> Cancel(const std::string& id) {
    TRY(const Uploads::Cancelled cancelled, Await(uploads_->CancelAny(id, Eve())));
    EXPECT_EQ(cancelled.owner, "");
    return cancelled.size_bytes;
  }
  size_t Rows() {
    return store_.meta->Scan({.prefix = std::string(keys::kUploads), .after = {}})->size();
  }
  std::string LastAuditRecord() {
    const uint64_t head = store_.meta->AuditHead()->sequence;
    const auto records = store_.meta->ReadAudit(head, 1, SIZE_MAX).value();
    return records.empty() ? "" : records[0].record;
  }
};

TEST_F(UploadAdminTest, ListsTheSessionsOfAllUsersInPages) {
  std::set<std::string> started;
  for (int i = 0; i < 5; ++i) started.insert(Start(i % 2 == 0 ? "ann" : "bob", "a"));
  std::vector<std::string> listed;
  std::string after;
  int pages = 0;
  do {
    const auto page = uploads_->List(after, 2).value();
    EXPECT_LE(page.rows.size(), 2u);
    for (const auto& upload : page.rows) listed.push_back(upload.id);
    after = page.next;
    ++pages;
  } while (!after.empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(listed, std::vector<std::string>(started.begin(), started.end()));
  EXPECT_TRUE(uploads_->List(listed.back(), 2).value().rows.empty());
  EXPECT_EQ(uploads_->List("", 5).value().next, "");
}

TEST_F(UploadAdminTest, ShowsWhoseItIsAndWhenItExpires) {
  const int64_t start_ms = store_.store_clock.NowMs();
  const std::string id = Start();
  store_.clock.Advance(std::chrono::hours(1));
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  store_.clock.Advance(std::chrono::hours(2));
  constexpr int64_t kHour = 3'600'000;
  for (const bool restarted : {false, true}) {
    SCOPED_TRACE(restarted);
    if (restarted) Restart();
    const auto page = uploads_->List("", 10).value();
    ASSERT_EQ(page.rows.size(), 1u);
    const Uploads::Overview& upload = page.rows[0];
    EXPECT_EQ(upload.id, id);
    EXPECT_EQ(upload.repository, "a");
    EXPECT_EQ(upload.user, "ann");
    EXPECT_EQ(upload.size_bytes, 5u);
    EXPECT_EQ(upload.started_ms, start_ms);
    // The row of a session that has no checkpoint does not know about the last request.
    EXPECT_EQ(upload.used_ms, start_ms + (restarted ? 0 : kHour));
    EXPECT_EQ(upload.expires_ms, upload.used_ms + 168 * kHour);
    EXPECT_FALSE(upload.active);
  }
}

TEST_F(UploadAdminTest, ASessionInUseIsActive) {
  const std::string id = Start();
  ScriptedBody slow("hello");
  slow.HeldAtTheEnd();
  auto appended = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, slow));
  slow.AwaitHold();
  store_.clock.Advance(std::chrono::hours(1));
  const auto page = uploads_->List("", 10).value();
  ASSERT_EQ(page.rows.size(), 1u);
  EXPECT_TRUE(page.rows[0].active);
  EXPECT_EQ(page.rows[0].used_ms, store_.store_clock.NowMs());
  slow.Release();
  EXPECT_TRUE(appended.get().has_value());
  EXPECT_FALSE(uploads_->List("", 10).value().rows[0].active);
}

TEST_F(UploadAdminTest, CancelsASessionOfAnyUserAndFreesItsBytes) {
  const std::string id = Start();
  const std::string other = Start("bob", "b");
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  EXPECT_EQ(Cancel(id).value(), 5u);
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Rows(), 1u);
  EXPECT_EQ(store_.Files("uploads").size(), 1u);
  EXPECT_EQ(CodeOf(Cancel(id)), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Cancel(other).value(), 0u);
  EXPECT_EQ(Rows(), 0u);
  EXPECT_TRUE(store_.Files("uploads").empty());
  Restart();
  EXPECT_TRUE(uploads_->List("", 10).value().rows.empty());
}

TEST_F(UploadAdminTest, ACancellationIsAudited) {
  const std::string id = Start();
  ASSERT_TRUE(Append(id, ScriptedBody("hello")).has_value());
  ASSERT_TRUE(Cancel(id).has_value());
  const std::string record = LastAuditRecord();
  for (const char* part : {"\"upload.cancel\"", "\"eve\"", "\"ann\"", "\"size_bytes\":5"}) {
    EXPECT_TRUE(record.contains(part)) << part << " is not in " << record;
  }
  EXPECT_TRUE(record.contains(id)) << record;
}

// As a client's DELETE, it waits for a request that works, and takes over from a silent client.
TEST_F(UploadAdminTest, CancelsASessionInUseOnceItsClientIsSilent) {
  Configure({.sessions = {.max_wait = std::chrono::milliseconds(0)}});
  const std::string id = Start();
  ScriptedBody silent("hello");
  silent.HeldAtTheEnd();
  auto appended = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, silent));
  silent.AwaitHold();
  EXPECT_EQ(CodeOf(Cancel(id)), ErrorCode::kTooManyRequests);
  store_.clock.Advance(std::chrono::seconds(2));
  EXPECT_TRUE(Cancel(id).has_value());
  silent.Release();
  EXPECT_FALSE(appended.get().has_value());
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_EQ(Rows(), 0u);
  EXPECT_TRUE(store_.Files("uploads").empty());
}

}  // namespace
}  // namespace outport::store
