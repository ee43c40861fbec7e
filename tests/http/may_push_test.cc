#include <gtest/gtest.h>

#include "registry/oci/manifest.h"
#include "registry/security/password/password.h"
#include "tests/http/fixture.h"
#include "tests/support/test_name.h"

namespace outport::http {
namespace {

constexpr const char* kAlice = "alice:wonder";  // may push
constexpr const char* kBob = "bob:builder";     // pulls in team/**

struct Case {
  const char* what;
  const char* method;
  bool manifest;
  const char* user;
  int status;
  bool may_push;
  const char* fields = "";
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

constexpr const char* kAnyTag = "If-None-Match: *\r\n";

constexpr Case kCases[] = {
    {"a head of a blob by a pusher", "HEAD", false, kAlice, 200, true},
    {"a head of a manifest by a pusher", "HEAD", true, kAlice, 200, true},
    {"a conditional head by a pusher", "HEAD", false, kAlice, 304, true, kAnyTag},
    {"a head of a blob by a puller", "HEAD", false, kBob, 200, false},
    {"a head of a manifest by a puller", "HEAD", true, kBob, 200, false},
    {"a get of a blob by a pusher", "GET", false, kAlice, 200, false},
    {"a get of a manifest by a pusher", "GET", true, kAlice, 200, false},
    // The server answers these two with StatBlob() and StatManifest(), as it answers a HEAD.
    {"a conditional get of a blob by a pusher", "GET", false, kAlice, 304, false, kAnyTag},
    {"a conditional get of a manifest by a pusher", "GET", true, kAlice, 304, false, kAnyTag},
};

class MayPushTest : public testing::TestWithParam<Case> {};

// Only the HEAD of a caller who may push renews the lease of the content.
TEST_P(MayPushTest, OnlyAHeadOfAPusherSetsIt) {
  const Case& c = GetParam();
  TestServer server;
  const std::string body =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
  server.registry().AddManifest("team/app", "v1", std::string(media_type::kOciIndex), body);
  const Digest blob = server.registry().AddBlob("team/app", "foo");
  const std::string target =
      c.manifest ? "/v2/team/app/manifests/v1" : "/v2/team/app/blobs/" + blob.ToString();
  const TestResponse response =
      server.Call({.method = c.method, .target = target, .user = c.user, .fields = c.fields});
  EXPECT_EQ(response.status, c.status) << response.body;
  ASSERT_TRUE(server.registry().LastCaller().has_value());
  EXPECT_EQ(server.registry().LastCaller()->may_push, c.may_push);
}

INSTANTIATE_TEST_SUITE_P(Requests, MayPushTest, testing::ValuesIn(kCases), kNameOfRow);

TEST(MayPush, FollowsTheGrantsOfTheRepository) {
  TestServer server;
  server.directory().Set({"dora",
                          *HashPassword("maar", 4),
                          {*ParseGrant("pull,push:a/**"), *ParseGrant("pull:b/**")}});
  for (const std::string repository : {"a/x", "b/x"}) {
    const Digest blob = server.registry().AddBlob(repository, "foo");
    server.Call({.method = "HEAD",
                 .target = "/v2/" + repository + "/blobs/" + blob.ToString(),
                 .user = "dora:maar"});
    EXPECT_EQ(server.registry().LastCaller()->may_push, repository == "a/x") << repository;
  }
}

}  // namespace
}  // namespace outport::http
