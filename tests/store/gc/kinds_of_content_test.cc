#include <functional>

#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/test_name.h"

namespace outport::store {
namespace {

// Content goes as soon as nothing refers to it, and stays in the trash for a day.
constexpr CollectionTimes kNoGrace{.grace = std::chrono::milliseconds(0),
                                   .lease = std::chrono::milliseconds(0),
                                   .trash = std::chrono::hours(24)};

const std::string kImage = ImageManifest({"config", "layer"});
const std::string kOther = ImageManifest({"config", "other layer"});
const std::string kIndex = IndexManifest({kImage, kOther});

std::string DigestOf(const std::string& body) { return Sha256(body).ToString(); }

// Descriptors of blobs in an index, as BuildKit writes them for its cache.
std::string CacheIndex(const std::vector<std::string>& blobs) {
  std::string children;
  for (const std::string& blob : blobs) {
    children += (children.empty() ? "" : ",") +
                (R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")" +
                 DigestOf(blob) + R"(","size":)" + std::to_string(blob.size()) + "}");
  }
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciIndex) +
         R"(","manifests":[)" + children + "]}";
}

// An index that lists one other index.
std::string OuterIndex(const std::string& inner) {
  return R"({"schemaVersion":2,"mediaType":")" + std::string(media_type::kOciIndex) +
         R"(","manifests":[{"mediaType":")" + std::string(media_type::kOciIndex) +
         R"(","digest":")" + DigestOf(inner) + R"(","size":)" + std::to_string(inner.size()) +
         "}]}";
}

void PushBlobs(TestContent& store, const std::string& repository,
               const std::vector<std::string>& blobs) {
  for (const std::string& blob : blobs) ASSERT_TRUE(store.PushBlob(repository, blob).has_value());
}

// Pushes both images by digest, and an index of them under the tag.
void PushIndex(TestContent& store, const std::string& repository, const std::string& tag) {
  PushBlobs(store, repository, {"config", "layer", "other layer"});
  for (const std::string& body : {kImage, kOther}) {
    ASSERT_TRUE(store.PushTagged(repository, body, {}).has_value());
  }
  ASSERT_TRUE(store.PushManifest(repository, tag, kIndex).has_value());
}

struct Case {
  const char* what;
  std::function<void(TestContent&)> make;
  std::vector<std::string> kept;  // bodies of manifests in the repository a
  std::vector<std::string> removed;
  std::vector<std::string> kept_blobs;  // bytes of blobs in the repository a
  std::vector<std::string> removed_blobs;
};

const Case kCases[] = {
    {"a tagged image stays",
     [](TestContent& store) { ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"})); },
     {kImage},
     {},
     {"config", "layer"},
     {}},
    {"an untagged image goes",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       ASSERT_TRUE(store.DeleteManifest("a", "v1"));
     },
     {},
     {kImage},
     {},
     {"config", "layer"}},
    {"an image whose tag moved away goes",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "other layer"}));
     },
     {kOther},
     {kImage},
     {"config", "other layer"},
     {"layer"}},
    {"one tag of two keeps the image",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       ASSERT_TRUE(store.PushTagged("a", kImage, {"v2"}));
       ASSERT_TRUE(store.DeleteManifest("a", "v1"));
     },
     {kImage},
     {},
     {"config", "layer"},
     {}},
    {"the children of a tagged index stay",
     [](TestContent& store) { PushIndex(store, "a", "v1"); },
     {kIndex, kImage, kOther},
     {},
     {"config", "layer", "other layer"},
     {}},
    {"the children of an untagged index go with it",
     [](TestContent& store) {
       PushIndex(store, "a", "v1");
       ASSERT_TRUE(store.DeleteManifest("a", "v1"));
     },
     {},
     {kIndex, kImage, kOther},
     {},
     {"config", "layer", "other layer"}},
    {"a child with a tag of its own stays",
     [](TestContent& store) {
       PushIndex(store, "a", "v1");
       ASSERT_TRUE(store.PushTagged("a", kImage, {"amd64"}));
       ASSERT_TRUE(store.DeleteManifest("a", DigestOf(kIndex)));
     },
     {kImage},
     {kIndex, kOther},
     {"config", "layer"},
     {"other layer"}},
    {"an outer index keeps everything below it",
     [](TestContent& store) {
       PushIndex(store, "a", "inner");
       ASSERT_TRUE(store.PushManifest("a", "outer", OuterIndex(kIndex)));
       ASSERT_TRUE(store.DeleteManifest("a", "inner"));
     },
     {OuterIndex(kIndex), kIndex, kImage, kOther},
     {},
     {"config", "layer", "other layer"},
     {}},
    {"nested indexes go from the top to the bottom in one run",
     [](TestContent& store) {
       PushIndex(store, "a", "inner");
       ASSERT_TRUE(store.PushManifest("a", "outer", OuterIndex(kIndex)));
       ASSERT_TRUE(store.DeleteManifest("a", "inner"));
       ASSERT_TRUE(store.DeleteManifest("a", "outer"));
     },
     {},
     {OuterIndex(kIndex), kIndex, kImage, kOther},
     {},
     {"config", "layer", "other layer"}},
    {"an index of blobs keeps them",
     [](TestContent& store) {
       PushBlobs(store, "a", {"cache 1", "cache 2"});
       ASSERT_TRUE(store.PushManifest("a", "cache", CacheIndex({"cache 1", "cache 2"})));
     },
     {CacheIndex({"cache 1", "cache 2"})},
     {},
     {"cache 1", "cache 2"},
     {}},
    {"the blobs of an index go with it",
     [](TestContent& store) {
       PushBlobs(store, "a", {"cache 1", "cache 2"});
       ASSERT_TRUE(store.PushManifest("a", "cache", CacheIndex({"cache 1", "cache 2"})));
       ASSERT_TRUE(store.PushManifest("a", "cache", CacheIndex({"cache 2"})));
     },
     {CacheIndex({"cache 2"})},
     {CacheIndex({"cache 1", "cache 2"})},
     {"cache 2"},
     {"cache 1"}},
    {"a referrer stays with its subject",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       PushBlobs(store, "a", {"signature"});
       ASSERT_TRUE(
           store.PushTagged("a", ImageManifest({"signature"}, SubjectJson(Sha256(kImage))), {}));
     },
     {kImage, ImageManifest({"signature"}, SubjectJson(Sha256(kImage)))},
     {},
     {"signature"},
     {}},
    {"a referrer goes with its subject",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       PushBlobs(store, "a", {"signature"});
       ASSERT_TRUE(
           store.PushTagged("a", ImageManifest({"signature"}, SubjectJson(Sha256(kImage))), {}));
       ASSERT_TRUE(store.DeleteManifest("a", "v1"));
     },
     {},
     {kImage, ImageManifest({"signature"}, SubjectJson(Sha256(kImage)))},
     {},
     {"config", "layer", "signature"}},
    {"a tagged referrer survives its subject",
     [](TestContent& store) {
       ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}));
       PushBlobs(store, "a", {"signature"});
       ASSERT_TRUE(store.PushTagged("a", ImageManifest({"signature"}, SubjectJson(Sha256(kImage))),
                                    {"sig"}));
       ASSERT_TRUE(store.DeleteManifest("a", DigestOf(kImage)));
     },
     {ImageManifest({"signature"}, SubjectJson(Sha256(kImage)))},
     {kImage},
     {"signature"},
     {"config", "layer"}},
    {"an artifact without a tag goes",
     [](TestContent& store) {
       PushBlobs(store, "a", {"config", "layer"});
       ASSERT_TRUE(store.PushTagged("a", kImage, {}));
     },
     {},
     {kImage},
     {},
     {"config", "layer"}},
    {"a digest in three repositories stays in the one that tags it",
     [](TestContent& store) {
       for (const char* name : {"a", "b", "c"}) {
         ASSERT_TRUE(store.PushImage(name, "v1", {"config", "layer"}));
       }
       ASSERT_TRUE(store.DeleteManifest("b", "v1"));
       ASSERT_TRUE(store.DeleteManifest("c", DigestOf(kImage)));
     },
     {kImage},
     {},
     {"config", "layer"},
     {}},
};

class KindsOfContentTest : public CollectorTest, public testing::WithParamInterface<Case> {
 protected:
  KindsOfContentTest() : CollectorTest(kNoGrace) {}
};

TEST_P(KindsOfContentTest, KeepsWhatIsReferencedAndRemovesTheRest) {
  const Case& c = GetParam();
  c.make(store);
  ASSERT_FALSE(HasFatalFailure());
  const v1::RunRow run = collector->RunUntagged();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  for (const std::string& body : c.kept) EXPECT_TRUE(HasManifest("a", DigestOf(body))) << body;
  for (const std::string& body : c.removed) EXPECT_FALSE(HasManifest("a", DigestOf(body))) << body;
  for (const std::string& bytes : c.kept_blobs) EXPECT_TRUE(HasBlob("a", bytes)) << bytes;
  for (const std::string& bytes : c.removed_blobs) EXPECT_FALSE(HasBlob("a", bytes)) << bytes;
  ExpectConsistent();

  // What the run removed comes back, and stays when it is tagged.
  const v1::RunRow undone = collector->Undo(run.id());
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().manifests(), run.removed().manifests());
  EXPECT_EQ(undone.not_restored(), 0u);
  if (c.removed.size() == run.removed().manifests()) {  // clients have removed none of them
    for (const std::string& body : c.removed) {
      EXPECT_TRUE(HasManifest("a", DigestOf(body))) << body;
    }
  }
  ExpectConsistent();

  // In the end, everything that no tag reaches is gone from the disk as well.
  static_cast<void>(collector->RunUntagged());
  collector->WorkAfter(std::chrono::hours(100));
  for (const std::string& body : c.removed) EXPECT_FALSE(HasManifest("a", DigestOf(body))) << body;
  for (const std::string& bytes : c.kept_blobs) EXPECT_TRUE(HasBlob("a", bytes)) << bytes;
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

INSTANTIATE_TEST_SUITE_P(Kinds, KindsOfContentTest, testing::ValuesIn(kCases), kNameOfRow);

}  // namespace
}  // namespace outport::store
