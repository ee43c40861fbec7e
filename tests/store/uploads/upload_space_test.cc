#include <vector>

#include "store/content/space_ledger.h"
#include "tests/store/uploads/small_disk.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

constexpr uint64_t kMib = 1 << 20;
constexpr uint64_t kDisk = 16 * kMib;
constexpr uint64_t kHeadroom = 4 * kMib;

// Uploads to a disk of 16 MiB, of which 4 MiB are the headroom.
class UploadSpaceTest : public UploadsTest {
 protected:
  UploadSpaceTest() {
    uploads_.emplace(Uploads::Parts{.meta = *store_.meta,
                                    .bytes = disk_,
                                    .blobs = blobs_,
                                    .disk = io_.pool(),
                                    .clock = store_.clock,
                                    .store_clock = store_.store_clock,
                                    .owner = *store_.owner,
                                    .metrics = metrics_,
                                    .log = Log::Nowhere(),
                                    .boot_id = boot_id_});
  }
  ~UploadSpaceTest() override {
    io_.Stop();
    uploads_.reset();
  }

  SmallUploadDisk disk_{*store_.bytes, kDisk};
  SpaceDemand demand_{store_.clock};
  Blobs blobs_{{.meta = *store_.meta,
                .bytes = disk_,
                .clock = store_.clock,
                .store_clock = store_.store_clock,
                .owner = *store_.owner,
                .metrics = metrics_,
                .log = Log::Nowhere(),
                .headroom_bytes = kHeadroom,
                .demand = &demand_}};
};

// The first client states the length of the whole disk, and sends nearly nothing.
TEST_F(UploadSpaceTest, AnAnnouncedLengthStopsNoOtherPush) {
  const std::string ids[] = {Start(), Start()};
  ScriptedBody announced("x", kDisk - kHeadroom);
  announced.HeldAtTheEnd().CutAtTheEnd();
  auto first = io_.Start(uploads_->Append(kAnn, Repo("a"), ids[0], std::nullopt, announced));
  announced.AwaitHold();
  EXPECT_EQ(disk_.Free(), kDisk);
  const std::string content(8 * kMib, 'y');
  const auto pushed = Finish(ids[1], Sha256(content), ScriptedBody(content, content.size()));
  EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
  announced.Release();
  EXPECT_FALSE(first.get().has_value());
}

TEST_F(UploadSpaceTest, ABodyReservesNoMoreThanItHasSent) {
  const std::string id = Start();
  ScriptedBody body(std::string(5 * kMib, 'x'), kDisk - kHeadroom);
  body.HeldAtTheEnd().CutAtTheEnd();
  auto appended = io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body));
  body.AwaitHold();
  EXPECT_GE(disk_.Free(), kDisk - 10 * kMib);
  body.Release();
  EXPECT_FALSE(appended.get().has_value());
  EXPECT_EQ(disk_.Free(), kDisk - 5 * kMib) << "the rest is released";
}

TEST_F(UploadSpaceTest, SixUploadsAtOnceLeaveTheHeadroom) {
  for (const bool announced : {false, true}) {
    SCOPED_TRACE(announced);
    const std::string content(4 * kMib, 'x');
    std::vector<std::string> ids;
    std::vector<std::unique_ptr<ScriptedBody>> bodies;
    std::vector<std::future<Result<UploadStatus>>> uploads;
    for (int i = 0; i < 6; ++i) ids.push_back(Start());
    for (const std::string& id : ids) {
      const auto length = announced ? std::optional<uint64_t>(content.size()) : std::nullopt;
      ScriptedBody& body = *bodies.emplace_back(std::make_unique<ScriptedBody>(content, length));
      uploads.push_back(io_.Start(uploads_->Append(kAnn, Repo("a"), id, std::nullopt, body)));
    }
    for (auto& upload : uploads) {
      const Result<UploadStatus> appended = upload.get();
      if (!appended.has_value()) EXPECT_EQ(appended.error().code, ErrorCode::kNoSpace);
    }
    EXPECT_GE(disk_.Lowest(), kHeadroom);
    // Without a length, a body is rejected only when the space is used up.
    if (!announced) EXPECT_LT(disk_.Free(), kHeadroom + kMib);
    for (const std::string& id : ids) {
      EXPECT_TRUE(Await(uploads_->Cancel(kAnn, Repo("a"), id)).has_value());
    }
    EXPECT_EQ(disk_.Free(), kDisk);
  }
}

TEST_F(UploadSpaceTest, ARejectedBodyNamesItsNeedsAndKeepsItsBytes) {
  const std::string content(kDisk, 'x');
  const std::string id = Start();
  const auto refused = Append(id, ScriptedBody(content, content.size()));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kNoSpace);
  const std::string& message = refused.error().message;
  EXPECT_NE(message.find("a write of 16777216 bytes"), std::string::npos) << message;
  EXPECT_NE(message.find("only 16777216 bytes are free"), std::string::npos) << message;
  ASSERT_TRUE(demand_.Largest().has_value());
  EXPECT_EQ(demand_.Largest()->bytes, kDisk);
  EXPECT_EQ(CodeOf(Append(id, ScriptedBody(content))), ErrorCode::kNoSpace);
  EXPECT_EQ(Received(id), kDisk - kHeadroom);
}

TEST(SpaceLedgerTest, APromiseCountsUntilItEnds) {
  TestContent store;
  SmallUploadDisk disk(*store.bytes, 100);
  SpaceLedger ledger(disk, 20);
  {
    const auto promise = ledger.Take({.at_least = 10, .at_most = 50, .needed_bytes = 50});
    ASSERT_TRUE(promise.has_value());
    EXPECT_EQ(promise->bytes(), 50u);
    EXPECT_TRUE(ledger.Require(30).has_value());
    const auto refused = ledger.Require(31);
    ASSERT_EQ(CodeOf(refused), ErrorCode::kNoSpace);
    EXPECT_NE(refused.error().message.find("50 of them are promised"), std::string::npos);
    const auto rest = ledger.Take({.at_least = 10, .at_most = 50, .needed_bytes = 50});
    ASSERT_TRUE(rest.has_value());
    EXPECT_EQ(rest->bytes(), 30u) << "as much as there is";
    EXPECT_EQ(CodeOf(ledger.Take({.at_least = 1, .at_most = 1})), ErrorCode::kNoSpace);
  }
  EXPECT_TRUE(ledger.Require(80).has_value());
}

}  // namespace
}  // namespace outport::store
