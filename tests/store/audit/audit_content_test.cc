#include "tests/store/audit/audit_rows.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

class AuditContentTest : public testing::Test {
 protected:
  // Returns the entries added to the audit log since the last call.
  std::string New() {
    const uint64_t after = std::exchange(seen_, store_.meta->AuditHead()->sequence);
    return AuditSummary(*store_.meta, after);
  }
  boost::json::value Last() {
    return AuditRows(*store_.meta, store_.meta->AuditHead()->sequence - 1).back();
  }

  TestContent store_;
  uint64_t seen_ = 0;
  const std::string config_ = "{}";
  const std::string image_ = ImageManifest({config_, "layer"});
  const std::string at_ = "@" + Sha256(image_).ToString() + "\n";
};

TEST_F(AuditContentTest, EveryMutationLeavesOneRow) {
  ASSERT_TRUE(store_.PushBlob("a", config_).has_value());
  EXPECT_EQ(New(), "repository.create a\nblob.push a@" + Sha256(config_).ToString() + "\n");
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  EXPECT_EQ(New(), "blob.push a@" + Sha256("layer").ToString() + "\n");
  ASSERT_TRUE(store_.PushManifest("a", "v1", image_).has_value());
  EXPECT_EQ(New(), "manifest.push a" + at_ + "tag.set a:v1\n");
  ASSERT_TRUE(store_.PushTagged("a", image_, {"v2", "v3"}).has_value());
  EXPECT_EQ(New(), "tag.set a:v2\ntag.set a:v3\n");
  ASSERT_TRUE(store_.Mount("b", "layer", "a").has_value());
  EXPECT_EQ(New(), "repository.create b\nblob.mount b@" + Sha256("layer").ToString() + "\n");
  ASSERT_TRUE(store_.DeleteManifest("a", "v1").has_value());
  EXPECT_EQ(New(), "tag.delete a:v1\n");
  ASSERT_TRUE(store_.DeleteManifest("a", Sha256(image_).ToString()).has_value());
  EXPECT_EQ(New(), "tag.delete a:v2\ntag.delete a:v3\nmanifest.delete a" + at_);
  ASSERT_TRUE(store_.DeleteBlob("a", "layer").has_value());
  EXPECT_EQ(New(), "blob.delete a@" + Sha256("layer").ToString() + "\n");
}

TEST_F(AuditContentTest, ARejectedOrEmptyChangeLeavesNoRow) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {config_, "layer"}).has_value());
  New();
  ASSERT_TRUE(store_.PushImage("a", "v1", {config_, "layer"}).has_value());
  ASSERT_TRUE(store_.Mount("a", "layer", "a").has_value());
  EXPECT_FALSE(store_.DeleteBlob("a", "layer").has_value()) << "it is referred to";
  EXPECT_FALSE(store_.DeleteManifest("a", "v2").has_value());
  EXPECT_FALSE(store_.PushManifest("a", "v2", ImageManifest({"absent"})).has_value());
  EXPECT_FALSE(store_.Mount("b", "absent", "a").has_value());
  EXPECT_EQ(New(), "");
}

TEST_F(AuditContentTest, ARowHasTheObjectBeforeAndAfter) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {config_, "layer"}).has_value());
  EXPECT_TRUE(Last().at("before").is_null());
  EXPECT_EQ(TextAt(Last(), "/after/digest"), Sha256(image_).ToString());
  EXPECT_EQ(TextAt(Last(), "/time"), FormatTime(store_.clock.Wall()));
  const std::string other = ImageManifest({config_});
  ASSERT_TRUE(store_.PushManifest("a", "v1", other).has_value());
  EXPECT_EQ(TextAt(Last(), "/object"), "a:v1");
  EXPECT_EQ(TextAt(Last(), "/before/digest"), Sha256(image_).ToString());
  EXPECT_EQ(TextAt(Last(), "/after/digest"), Sha256(other).ToString());
  ASSERT_TRUE(store_.DeleteManifest("a", "v1").has_value());
  EXPECT_EQ(TextAt(Last(), "/before/digest"), Sha256(other).ToString());
  EXPECT_TRUE(Last().at("after").is_null());
}

TEST_F(AuditContentTest, ARowHasTheActorItsAddressAndItsNode) {
  const Caller caller{.user = "ci",
                      .password = std::make_shared<const Secret>("hunter2"),
                      .certificate_name = "lap\"top" + std::string(1000, 'x'),
                      .address = "10.0.0.7",
                      .node = "eu-west",
                      .request_id = "abc"};
  ASSERT_TRUE(store_.PushImage("a", "v1", {config_, "layer"}).has_value());
  ASSERT_TRUE(
      store_.content->manifests.Delete(Repo("a"), Ref("v1"), Actor::Of(caller)).has_value());
  const boost::json::value row = Last();
  EXPECT_EQ(TextAt(row, "/actor/kind"), "user");
  EXPECT_EQ(TextAt(row, "/actor/name"), "ci");
  EXPECT_EQ(TextAt(row, "/actor/address"), "10.0.0.7");
  EXPECT_EQ(TextAt(row, "/actor/node"), "eu-west");
  EXPECT_EQ(TextAt(row, "/actor/request_id"), "abc");
  EXPECT_TRUE(row.at("actor").at("certificate").as_string().starts_with("lap\"topx"));
  EXPECT_EQ(row.at("actor").at("certificate").as_string().size(), 256u);
  EXPECT_EQ(boost::json::serialize(row).find("hunter2"), std::string::npos);
}

TEST_F(AuditContentTest, TheStoreIsTheActorOfAQuarantine) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  New();
  std::filesystem::remove(store_.Files("blobs").front());
  EXPECT_FALSE(store_.PullBlob("a", Sha256("layer")).has_value());
  EXPECT_EQ(New(), "blob.quarantine " + Sha256("layer").ToString() + "\n");
  EXPECT_EQ(TextAt(Last(), "/actor/kind"), "store");
}

}  // namespace
}  // namespace outport::store
