#include "registry/security/password/password.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

constexpr const char* kDave = "dave:diver";  // pushes in new/**, pulls in team/**

class Mount : public testing::Test {
 protected:
  Mount() {
    server_.directory().Set({"dave",
                             *HashPassword("diver", 4),
                             {*ParseGrant("push:new/**"), *ParseGrant("pull:team/**")}});
  }
  TestResponse Post(const std::string& query, const std::string& user = "alice:wonder") {
    return server_.Call(
        {.method = "POST", .target = "/v2/new/app/blobs/uploads/" + query, .user = user});
  }

  TestServer server_;
  const std::string foo_ = server_.registry().AddBlob("team/app", "foo").ToString();
  const std::string bar_ = server_.registry().AddBlob("secret/app", "bar").ToString();
};

TEST_F(Mount, MakesABlobVisible) {
  const TestResponse mounted = Post("?mount=" + foo_ + "&from=team%2Fapp");
  EXPECT_EQ(mounted.status, 201);
  EXPECT_EQ(mounted.Field("location"), "/v2/new/app/blobs/" + foo_);
  EXPECT_EQ(mounted.Field("docker-content-digest"), foo_);
  EXPECT_EQ(mounted.Field("outport-sequence"), "1");
  EXPECT_EQ(mounted.Field("content-length"), "0");
  EXPECT_EQ(server_.Call({.target = mounted.Field("location")}).body, "foo");
  EXPECT_EQ(server_.registry().OpenUploads(), 0u);
}

TEST_F(Mount, FindsASourceByItself) {
  EXPECT_EQ(Post("?mount=" + foo_).status, 201);
  EXPECT_EQ(Post("?mount=" + foo_, kDave).status, 201);
}

TEST_F(Mount, FallsBackToAnUploadSession) {
  const std::string absent = "sha256:" + std::string(64, '0');
  const struct {
    const char* what;
    std::string query;
    const char* user;
  } kCases[] = {
      {"a blob that is nowhere", "?mount=" + absent + "&from=team/app", "alice:wonder"},
      {"a blob that is nowhere, from anywhere", "?mount=" + absent, "alice:wonder"},
      {"a blob that is elsewhere", "?mount=" + foo_ + "&from=secret/app", "alice:wonder"},
      {"a source that is not there", "?mount=" + foo_ + "&from=none", "alice:wonder"},
      {"a source that cannot be", "?mount=" + foo_ + "&from=TEAM", "alice:wonder"},
      {"an empty source", "?mount=" + foo_ + "&from=", "alice:wonder"},
      {"a bad digest", "?mount=sha256:bad&from=team/app", "alice:wonder"},
      {"an unsupported digest", "?mount=md5:00&from=team/app", "alice:wonder"},
      {"no digest", "?mount=&from=team/app", "alice:wonder"},
      {"a digest of its own", "?mount=" + absent + "&digest=bad", "alice:wonder"},
      {"a source that may not be pulled from", "?mount=" + bar_ + "&from=secret/app", kDave},
      {"nothing that may be pulled from", "?mount=" + bar_, kDave},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    const TestResponse started = Post(c.query, c.user);
    EXPECT_EQ(started.status, 202) << started.body;
    const std::string id = started.Field("docker-upload-uuid");
    EXPECT_EQ(started.Field("location"), "/v2/new/app/blobs/uploads/" + id);
    EXPECT_EQ(started.Field("range"), "0-0");
  }
}

TEST_F(Mount, NeedsAGrantToPush) {
  EXPECT_EQ(Post("?mount=" + foo_ + "&from=team/app", "bob:builder").ErrorCode(), "DENIED");
}

TEST_F(Mount, I4IsUnavailableIfTheStoreIsUnreachable) {
  server_.registry().FailNext(Error{ErrorCode::kUnavailable, "the store cannot be reached"});
  EXPECT_EQ(Post("?mount=" + foo_ + "&from=team/app").status, 503);
}

}  // namespace
}  // namespace outport::http
