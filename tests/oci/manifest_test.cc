#include "registry/oci/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>

namespace outport {
namespace {

using media_type::kDockerList;
using media_type::kDockerManifest;
using media_type::kOciIndex;
using media_type::kOciManifest;

std::string DigestText(char fill) { return "sha256:" + std::string(64, fill); }

std::string DescriptorText(char fill, const std::string& type = "application/x",
                           const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + DigestText(fill) + R"(","size":7)" +
         more + "}";
}

// The descriptor of a manifest in an index.
std::string ChildText(char fill) { return DescriptorText(fill, std::string(kOciManifest)); }

// {"schemaVersion":2,<members>}
std::string Body(const std::string& members) { return R"({"schemaVersion":2,)" + members + "}"; }

std::string ImageMembers() {
  return R"("config":)" + DescriptorText('a', "application/vnd.oci.image.config.v1+json") +
         R"(,"layers":[)" + DescriptorText('b') + "]";
}

std::string WithType(std::string_view type, const std::string& members) {
  return Body(R"("mediaType":")" + std::string(type) + "\"," + members);
}

// The characters that the digests repeat: "abc".
std::string Fills(const std::vector<Descriptor>& descriptors) {
  std::string fills;
  for (const Descriptor& descriptor : descriptors) fills.push_back(descriptor.digest.hex()[0]);
  return fills;
}

// The members of an image with an empty config.
std::string EmptyConfigMembers() {
  return R"("config":)" + DescriptorText('e', "application/vnd.oci.empty.v1+json") +
         R"(,"layers":[)" + DescriptorText('e') + "]";
}

// Nested lists.
std::string Nested(int depth) { return std::string(depth, '[') + "1" + std::string(depth, ']'); }

const struct {
  const char* what;
  std::string body;
  std::string content_type;
  std::string_view type;
  const char* blobs;
  const char* manifests;
} kAccepted[] = {
    {"an OCI manifest", WithType(kOciManifest, ImageMembers()), std::string(kOciManifest),
     kOciManifest, "ab", ""},
    {"an OCI manifest that does not name its type", Body(ImageMembers()), std::string(kOciManifest),
     kOciManifest, "ab", ""},
    {"the body's type without a Content-Type", WithType(kOciManifest, ImageMembers()), "",
     kOciManifest, "ab", ""},
    {"a Content-Type with parameters", WithType(kOciManifest, ImageMembers()),
     std::string(kOciManifest) + " ; charset=utf-8", kOciManifest, "ab", ""},
    {"Docker's schema 2", WithType(kDockerManifest, ImageMembers()), std::string(kDockerManifest),
     kDockerManifest, "ab", ""},
    {"an OCI index", WithType(kOciIndex, R"("manifests":[)" + ChildText('c') + "]"),
     std::string(kOciIndex), kOciIndex, "", "c"},
    {"Docker's list", WithType(kDockerList, R"("manifests":[)" + ChildText('c') + "]"),
     std::string(kDockerList), kDockerList, "", "c"},
    {"an index in an index",
     WithType(kOciIndex, R"("manifests":[)" + DescriptorText('c', std::string(kOciIndex)) + "," +
                             ChildText('d') + "]"),
     "", kOciIndex, "", "cd"},
    {"an index of blobs, as BuildKit writes for its cache",
     WithType(kOciIndex, R"("manifests":[)" +
                             DescriptorText('c', "application/vnd.oci.image.layer.v1.tar+gzip") +
                             "," + DescriptorText('d', "application/vnd.buildkit.cacheconfig.v0") +
                             "]"),
     "", kOciIndex, "cd", ""},
    {"an empty config", WithType(kOciManifest, R"("artifactType":"a/b",)" + EmptyConfigMembers()),
     "", kOciManifest, "ee", ""},
    {"no layers", WithType(kOciManifest, R"("layers":[],"config":)" + DescriptorText('a')), "",
     kOciManifest, "a", ""},
    {"layers that are null",
     WithType(kOciManifest, R"("layers":null,"config":)" + DescriptorText('a')), "", kOciManifest,
     "a", ""},
    {"no manifests", WithType(kOciIndex, R"("manifests":[])"), "", kOciIndex, "", ""},
    {"a descriptor with data",
     WithType(kOciManifest,
              R"("config":)" + DescriptorText('a', "application/x", R"(,"data":"e30=")")),
     "", kOciManifest, "a", ""},
    {"unknown members",
     WithType(kOciManifest, R"("org.example":{"a":[1,2.5,{"b":null}]},)" + ImageMembers()), "",
     kOciManifest, "ab", ""},
    {"32 levels", WithType(kOciManifest, "\"a\":" + Nested(31) + "," + ImageMembers()), "",
     kOciManifest, "ab", ""},
    {"a surrogate pair",
     WithType(kOciManifest, R"("annotations":{"a":"\ud83d\ude00"},)" + ImageMembers()), "",
     kOciManifest, "ab", ""},
    {"a member twice: the last one counts",
     WithType(kOciManifest, R"("config":7,)" + ImageMembers()), "", kOciManifest, "ab", ""},
};

TEST(Manifest, AcceptsWhatRegistriesStore) {
  for (const auto& c : kAccepted) {
    SCOPED_TRACE(c.what);
    const auto manifest = Manifest::Parse(c.body, c.content_type);
    ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
    EXPECT_EQ(manifest->media_type, c.type);
    EXPECT_EQ(manifest->is_index, c.type == kOciIndex || c.type == kDockerList);
    EXPECT_EQ(Fills(manifest->blobs), c.blobs);
    EXPECT_EQ(Fills(manifest->manifests), c.manifests);
  }
}

struct Rejected {
  const char* what;
  std::string body;
  std::string content_type;
  const char* message;
};

const std::string kOci(kOciManifest);

const Rejected kInvalidDocuments[] = {
    {"nothing", "", kOci, "not JSON"},
    {"no JSON", "blablabla", kOci, "not JSON"},
    {"JSON that is cut", R"({"schemaVersion":2)", kOci, "not JSON"},
    {"more behind the JSON", Body(ImageMembers()) + "x", kOci, "not JSON"},
    {"bytes that are not UTF-8", Body("\"a\":\"\xff\"," + ImageMembers()), kOci, "not JSON"},
    {"a list", "[]", kOci, "not a JSON object"},
    {"too deep a nesting", Body("\"a\":" + Nested(100) + "," + ImageMembers()), kOci,
     "nested deeper"},
    {"33 levels", Body("\"a\":" + Nested(32) + "," + ImageMembers()), kOci,
     "nested deeper than 32 levels"},
    {"a lone surrogate", Body(R"("a":"\ud800",)" + ImageMembers()), kOci, "surrogate pair"},
    {"very deep a nesting", std::string(1 << 20, '['), kOci, "nested deeper"},
    {"schema 1 by its version", R"({"schemaVersion":1,"name":"a","fsLayers":[]})", kOci,
     "schema 1"},
    {"schema 1 by its Content-Type", R"({"schemaVersion":1})",
     "application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"},
    {"no schemaVersion", "{" + ImageMembers() + "}", kOci, "schemaVersion"},
    {"a schemaVersion in words", R"({"schemaVersion":"2",)" + ImageMembers() + "}", kOci,
     "schemaVersion"},
    {"no type at all", Body(ImageMembers()), "", "mediaType"},
    {"a type that is not stored", Body(ImageMembers()), "text/html", "text/html"},
    {"another type in the body", WithType(kOciIndex, ImageMembers()), kOci, "was pushed as"},
    {"a type that is not a string", Body(R"("mediaType":5,)" + ImageMembers()), kOci, "mediaType"},
    {"an index with layers", Body(R"("manifests":[],"layers":[])"), std::string(kOciIndex),
     "is an index"},
    {"an image with manifests", Body(R"("manifests":[],)" + ImageMembers()), kOci, "not an index"},
};

const Rejected kInvalidDescriptors[] = {
    {"no config", Body(R"("layers":[])"), kOci, "no config"},
    {"a config that is not a descriptor", Body(R"("config":"x")"), kOci, "config"},
    {"layers that are not a list", Body(R"("layers":{},"config":)" + DescriptorText('a')), kOci,
     "layers"},
    {"a layer that is not a descriptor",
     Body(R"("layers":[)" + DescriptorText('b') + R"(,3],"config":)" + DescriptorText('a')), kOci,
     "layers[1]"},
    {"a bad digest", Body(R"("config":{"mediaType":"a/b","size":1,"digest":"sha256:bad"})"), kOci,
     "sha256:bad"},
    {"no digest", Body(R"("config":{"mediaType":"a/b","size":1})"), kOci, "invalid config"},
    {"no size", Body(R"("config":{"mediaType":"a/b","digest":")" + DigestText('a') + "\"}"), kOci,
     "size"},
    {"a negative size",
     Body(R"("config":{"mediaType":"a/b","size":-1,"digest":")" + DigestText('a') + "\"}"), kOci,
     "size"},
    {"a fraction of a byte",
     Body(R"("config":{"mediaType":"a/b","size":1.5,"digest":")" + DigestText('a') + "\"}"), kOci,
     "size"},
    {"a size beyond any disk",
     Body(R"("config":{"mediaType":"a/b","size":1e400,"digest":")" + DigestText('a') + "\"}"), kOci,
     ""},
    {"a descriptor without a type",
     Body(R"("config":{"size":1,"digest":")" + DigestText('a') + "\"}"), kOci, "mediaType"},
    {"a bad subject", Body(R"("subject":{},)" + ImageMembers()), kOci, "subject"},
    {"annotations that are a list", Body(R"("annotations":[],)" + ImageMembers()), kOci,
     "annotations"},
    {"an annotation that is a number", Body(R"("annotations":{"k":1},)" + ImageMembers()), kOci,
     "annotation \"k\""},
};

void ExpectRejected(std::span<const Rejected> cases) {
  for (const Rejected& c : cases) {
    SCOPED_TRACE(c.what);
    const auto manifest = Manifest::Parse(c.body, c.content_type);
    ASSERT_FALSE(manifest.has_value());
    EXPECT_EQ(manifest.error().code, ErrorCode::kManifestInvalid);
    EXPECT_THAT(manifest.error().message, testing::HasSubstr(c.message));
  }
}

TEST(Manifest, RejectsInvalidDocuments) { ExpectRejected(kInvalidDocuments); }

TEST(Manifest, RejectsInvalidDescriptors) { ExpectRejected(kInvalidDescriptors); }

// Returns a manifest with this many layers, or an index with this many entries.
std::string WithMany(bool index, size_t count) {
  std::string list;
  for (size_t i = 0; i < count; ++i) list += (i > 0 ? "," : "") + DescriptorText('b');
  return index ? Body(R"("manifests":[)" + list + "]")
               : Body(R"("config":)" + DescriptorText('a') + R"(,"layers":[)" + list + "]");
}

TEST(Manifest, LimitsTheNumberOfDescriptors) {
  for (const bool index : {false, true}) {
    const std::string_view type = index ? kOciIndex : kOciManifest;
    EXPECT_TRUE(Manifest::Parse(WithMany(index, kMaxDescriptors), type).has_value());
    const std::string body = WithMany(index, kMaxDescriptors + 1);
    const auto refused = Manifest::Parse(body, type);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kManifestInvalid);
    EXPECT_EQ(refused.error().message, std::string("the manifest has 10001 ") +
                                           (index ? "manifests" : "layers") +
                                           "; reduce them to at most 10000");
    EXPECT_TRUE(Manifest::ParseStored(body, type).has_value()) << "an earlier release stored it";
  }
}

TEST(Manifest, LimitsTheNumberOfValues) {
  std::string list = "0";
  for (int i = 1; i < 200'000; ++i) list += ",0";
  const std::string body = Body("\"a\":[" + list + "]," + ImageMembers());
  const auto refused = Manifest::Parse(body, kOciManifest);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kManifestInvalid);
  EXPECT_EQ(refused.error().message, "the manifest has more than 200000 JSON values");
  EXPECT_TRUE(Manifest::ParseStored(body, kOciManifest).has_value())
      << "an earlier release stored it";
  const std::string fits =
      Body("\"a\":[" + list.substr(0, list.size() - 100) + "]," + ImageMembers());
  EXPECT_TRUE(Manifest::Parse(fits, kOciManifest).has_value());
}

TEST(Manifest, LimitsTheSize) {
  const std::string start = R"({"a":")";
  const std::string end = "\",\"schemaVersion\":2," + ImageMembers() + "}";
  const auto sized = [&](size_t size) {
    return start + std::string(size - start.size() - end.size(), 'x') + end;
  };
  EXPECT_TRUE(Manifest::Parse(sized(kMaxManifestBytes), kOciManifest).has_value());
  EXPECT_EQ(Manifest::Parse(sized(kMaxManifestBytes + 1), kOciManifest).error().code,
            ErrorCode::kManifestTooLarge);
}

TEST(Manifest, OmitsNonDistributableLayers) {
  const auto manifest = Manifest::Parse(
      Body(R"("config":)" + DescriptorText('a') + R"(,"layers":[)" +
           DescriptorText('b', "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd") +
           "," + DescriptorText('c', "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip") +
           "," + DescriptorText('d') + "]"),
      kDockerManifest);
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_EQ(Fills(manifest->blobs), "ad");
}

TEST(Manifest, HasTheFieldsOfReferrers) {
  const std::string subject = R"("subject":)" + DescriptorText('f') + ",";
  const auto image =
      Manifest::Parse(Body(subject + R"("annotations":{"k":"v"},)" + ImageMembers()), kOciManifest);
  ASSERT_TRUE(image.has_value()) << image.error().message;
  ASSERT_TRUE(image->subject.has_value());
  EXPECT_EQ(image->subject->digest.ToString(), DigestText('f'));
  EXPECT_EQ(image->artifact_type, "application/vnd.oci.image.config.v1+json");
  EXPECT_THAT(image->annotations, testing::ElementsAre(testing::Pair("k", "v")));

  const auto artifact =
      Manifest::Parse(Body(R"("artifactType":"a/b",)" + ImageMembers()), kOciManifest);
  ASSERT_TRUE(artifact.has_value());
  EXPECT_EQ(artifact->artifact_type, "a/b");
  EXPECT_FALSE(artifact->subject.has_value());

  const auto index = Manifest::Parse(Body(subject + R"("manifests":[])"), kOciIndex);
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(index->artifact_type, "");
  EXPECT_TRUE(index->subject.has_value());
}

}  // namespace
}  // namespace outport
