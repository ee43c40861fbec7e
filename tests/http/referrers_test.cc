#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

namespace json = boost::json;

const std::string kSubject = Digest::Of(DigestAlgorithm::kSha256, AsBytes("subject")).ToString();
const std::string kTarget = "/v2/a/referrers/" + kSubject;

class Referrers : public testing::Test {
 protected:
  // An index that refers to the subject; returns its digest.
  std::string Push(const std::string& members) {
    const std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)"
        R"("manifests":[],"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
        R"("size":7,"digest":")" +
        kSubject + R"("})" + members + "}";
    const TestResponse pushed = server_.Call(
        {.method = "PUT", .target = "/v2/a/manifests/v" + std::to_string(++pushes_), .body = body});
    EXPECT_EQ(pushed.status, 201) << pushed.body;
    EXPECT_EQ(pushed.Field("oci-subject"), kSubject);
    return pushed.Field("docker-content-digest");
  }

  TestServer server_;
  int pushes_ = 0;
};

TEST_F(Referrers, AreAnIndex) {
  const TestResponse none = server_.Call({.target = kTarget});
  EXPECT_EQ(none.Field("content-type"), media_type::kOciIndex);
  EXPECT_EQ(none.body,
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",)"
            R"("manifests":[]})");
  const std::string digest =
      Push(R"(,"artifactType":"application/x.sbom","annotations":{"a\"b":"c\nd"})");
  const TestResponse one = server_.Call({.target = kTarget});
  const json::value parsed = json::parse(one.body);
  const json::object& descriptor = parsed.at("manifests").at(0).as_object();
  EXPECT_EQ(descriptor.at("digest").as_string(), digest);
  EXPECT_EQ(descriptor.at("mediaType").as_string(), media_type::kOciIndex);
  EXPECT_GT(descriptor.at("size").as_int64(), 100);
  EXPECT_EQ(descriptor.at("artifactType").as_string(), "application/x.sbom");
  EXPECT_EQ(descriptor.at("annotations").at("a\"b").as_string(), "c\nd");
  EXPECT_EQ(one.Field("oci-filters-applied"), "");
  const TestResponse head = server_.Call({.method = "HEAD", .target = kTarget});
  EXPECT_EQ(head.Field("content-length"), std::to_string(one.body.size()));
  EXPECT_EQ(head.Field("content-type"), media_type::kOciIndex);
}

TEST_F(Referrers, OmitMissingFields) {
  Push("");
  const json::value parsed = json::parse(server_.Call({.target = kTarget}).body);
  const json::object& descriptor = parsed.at("manifests").at(0).as_object();
  EXPECT_FALSE(descriptor.contains("artifactType"));
  EXPECT_FALSE(descriptor.contains("annotations"));
}

TEST_F(Referrers, AreFilteredByType) {
  const std::string wanted = Push(R"(,"artifactType":"application/a+json")");
  Push(R"(,"artifactType":"application/b")");
  const TestResponse some =
      server_.Call({.target = kTarget + "?artifactType=application%2Fa%2Bjson"});
  EXPECT_EQ(some.Field("oci-filters-applied"), "artifactType");
  const json::value parsed = json::parse(some.body);
  ASSERT_EQ(parsed.at("manifests").as_array().size(), 1u);
  EXPECT_EQ(parsed.at("manifests").at(0).at("digest").as_string(), wanted);
  const TestResponse none = server_.Call({.target = kTarget + "?artifactType=application/c"});
  EXPECT_EQ(none.Field("oci-filters-applied"), "artifactType");
  EXPECT_EQ(json::parse(none.body).at("manifests").as_array().size(), 0u);
  EXPECT_EQ(server_.Call({.target = kTarget + "?artifactType="}).Field("oci-filters-applied"), "");
}

TEST_F(Referrers, ComeInPages) {
  for (int i = 0; i < 5; ++i) {
    Push(R"(,"artifactType":"application/a+json","annotations":{"i":")" + std::to_string(i) +
         R"("})");
  }
  std::set<std::string> seen;
  std::string target = kTarget + "?artifactType=application%2Fa%2Bjson&n=2";
  for (const size_t expected : {size_t{2}, size_t{2}, size_t{1}}) {
    const TestResponse page = server_.Call({.target = target});
    EXPECT_EQ(page.Field("oci-filters-applied"), "artifactType");
    const json::value parsed = json::parse(page.body);
    EXPECT_EQ(parsed.at("manifests").as_array().size(), expected);
    for (const json::value& item : parsed.at("manifests").as_array()) {
      EXPECT_TRUE(seen.insert(std::string(item.at("digest").as_string())).second);
    }
    const std::string link = page.Field("link");
    ASSERT_EQ(link.empty(), seen.size() == 5);
    if (link.empty()) break;
    EXPECT_TRUE(link.ends_with(">; rel=\"next\""));
    target = link.substr(1, link.find('>') - 1);
    EXPECT_TRUE(target.starts_with(kTarget + "?last=sha256%3A"));
  }
  const TestResponse nothing = server_.Call({.target = kTarget + "?n=0"});
  EXPECT_EQ(json::parse(nothing.body).at("manifests").as_array().size(), 0u);
  EXPECT_EQ(nothing.Field("link"), "");
}

TEST_F(Referrers, AreDeletedWithTheirManifest) {
  const std::string digest = Push("");
  EXPECT_EQ(server_.Call({.method = "DELETE", .target = "/v2/a/manifests/" + digest}).status, 202);
  const json::value parsed = json::parse(server_.Call({.target = kTarget}).body);
  EXPECT_EQ(parsed.at("manifests").as_array().size(), 0u);
}

TEST_F(Referrers, I3HaveAnAgeIfTheyAreStale) {
  server_.registry().SetStaleness(Staleness{.age = std::chrono::seconds(90)});
  EXPECT_EQ(server_.Call({.target = kTarget}).Field("age"), "90");
}

}  // namespace
}  // namespace outport::http
