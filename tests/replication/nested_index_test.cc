#include <gtest/gtest.h>

#include "tests/replication/test_node.h"

namespace outport {
namespace {

template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

class NestedIndexTest : public FleetTest {
 protected:
  NestedIndexTest() : image_(store_->PublishImage(kApp, "one")) {}
  // Waits until the node has noticed that the store is unreachable.
  void StopStore(TestNode& node) {
    store_->Stop();
    EXPECT_TRUE(Eventually([&] { return !node.IsConnected(); }));
  }
  Digest PublishIndex(const std::vector<Digest>& children) {
    std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)";
    for (const Digest& child : children) {
      if (body.back() == '}') body += ',';
      body += R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":")" +
              child.ToString() + "\"}";
    }
    return store_->PublishManifest(kApp, body + "]}", media_type::kOciIndex);
  }

  const TestStore::Image image_;
};

TEST_F(NestedIndexTest, I11AnIndexNeedsOneCompletePlatform) {
  const TestStore::Image other = store_->PublishImage(kApp, "other platform");
  const Digest index = PublishIndex({image_.digest, other.digest});
  const Digest unpulled = PublishIndex({other.digest});
  const auto node = JoinNode();
  ASSERT_TRUE(node->Get(kApp, index.ToString()));
  ASSERT_TRUE(node->Get(kApp, unpulled.ToString()));
  node->PullAndKeep(kApp, image_);
  StopStore(*node);
  EXPECT_TRUE(node->Get(kApp, index.ToString()));
  EXPECT_EQ(CodeOf(node->Get(kApp, unpulled.ToString())), ErrorCode::kUnavailable);
}

TEST_F(NestedIndexTest, I11IndexesMayBeNested) {
  std::vector<Digest> nested = {PublishIndex({image_.digest})};
  while (nested.size() < 8) nested.push_back(PublishIndex({nested.back()}));
  const auto node = JoinNode();
  for (const Digest& index : nested) ASSERT_TRUE(node->Get(kApp, index.ToString()));
  node->PullAndKeep(kApp, image_);
  StopStore(*node);
  for (const Digest& index : nested) {
    const auto served = node->Get(kApp, index.ToString());
    EXPECT_TRUE(served) << served.error().message;
  }
}

// A search that looked at shared children again and again would look at 2^30 of them.
TEST_F(NestedIndexTest, IndexesThatShareTheirChildrenTakeLittleWork) {
  Digest one = PublishIndex({image_.digest});
  Digest other = PublishIndex({image_.digest, image_.digest});
  std::vector<Digest> all = {one, other};
  for (int level = 0; level < 29; ++level) {
    const Digest above = PublishIndex({one, other});
    other = PublishIndex({other, one});
    one = above;
    all.insert(all.end(), {one, other});
  }
  const auto node = JoinNode();
  for (const Digest& index : all) ASSERT_TRUE(node->Get(kApp, index.ToString()));
  StopStore(*node);
  EXPECT_EQ(CodeOf(node->Get(kApp, one.ToString())), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace outport
