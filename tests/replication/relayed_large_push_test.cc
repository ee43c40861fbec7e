#include <gtest/gtest.h>

#include <future>
#include <optional>

#include "store/content/manifest_push.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

using Turn = store::LargeWrites::Turn;

// A node relays a push of a large manifest. At the store, another write of the same user has the
// user's turn.
class RelayedLargePushTest : public FleetTest {
 protected:
  RelayedLargePushTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->AddUser("ann", "secret", "pull,push:library/**");
    Result<Turn> turn = loop_.RunToEnd([&]() -> net::awaitable<Result<Turn>> {
      store::LargeWrites::Write write{.holder = {.kind = HolderKind::kUser, .name = "ann"}};
      co_return co_await store_->large_writes.AwaitTurn(std::move(write));
    });
    EXPECT_TRUE(turn.has_value());
    if (turn.has_value()) turn_.emplace(*std::move(turn));
  }

  // An image whose layers are all the same blob.
  std::string Large() const {
    const auto descriptor = [](const Digest& digest, const std::string& content) {
      return R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
             digest.ToString() + R"(","size":)" + std::to_string(content.size()) + "}";
    };
    std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
        descriptor(image_.blobs[0], "config of one") + R"(,"layers":[)";
    for (size_t i = 0; i <= store::kLargeDescriptors; ++i) {
      body += (i == 0 ? "" : ",") + descriptor(image_.blobs[1], "layer of one");
    }
    return body + "]}";
  }
  std::future<Result<PushedManifest>> Push(Registry& registry) {
    return std::async(std::launch::async, [this, &registry] {
      return loop_.RunToEnd([&]() -> net::awaitable<Result<PushedManifest>> {
        const Caller caller{.user = "ann",
                            .password = std::make_shared<const Secret>("secret"),
                            .certificate_name = "desktop",
                            .address = "192.0.2.1",
                            .request_id = "r-9"};
        const RepositoryName name = *RepositoryName::Parse(kApp);
        const Reference tag = *ParseReference("large");
        const std::string type(media_type::kOciManifest);
        const std::vector<Tag> no_tags;
        co_return co_await registry.PutManifest(caller, name, tag, type, no_tags, Large());
      });
    });
  }
  bool AwaitWrites(double count) {
    return Eventually([&] {
      return store_->metrics.Gauge("outport_store_large_manifest_writes", "").Value() == count;
    });
  }

  TestStore::Image image_{DigestOf(""), {}};
  std::optional<Turn> turn_;
};

TEST_F(RelayedLargePushTest, SharesTheTurnOfItsUser) {
  const auto node = JoinNode();
  std::future<Result<PushedManifest>> push = Push(node->registry());
  EXPECT_TRUE(AwaitWrites(2));
  EXPECT_EQ(store_->large_writes.Turns(), 1U);
  turn_.reset();
  const Result<PushedManifest> pushed = push.get();
  EXPECT_TRUE(pushed) << pushed.error().message;
}

TEST_F(RelayedLargePushTest, I6ARemovedUsersWriteEndsWhileItWaits) {
  const auto node = JoinNode();
  std::future<Result<PushedManifest>> push = Push(node->registry());
  EXPECT_TRUE(AwaitWrites(2));
  const LogPosition head = store_->Head();
  store_->users.Remove("ann");
  const Result<PushedManifest> rejected = push.get();
  ASSERT_FALSE(rejected);
  EXPECT_EQ(rejected.error().code, ErrorCode::kUnauthorized) << rejected.error().message;
  EXPECT_EQ(store_->Head().sequence, head.sequence);
  EXPECT_TRUE(AwaitWrites(1)) << "the place is free";
}

}  // namespace
}  // namespace outport
