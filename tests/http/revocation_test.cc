#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "registry/security/password/password.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

const CertificateIdentity& Desktop() {
  static const CertificateIdentity kDesktop = *pki::Inspect(TestFleet::Get().desktop.chain);
  return kDesktop;
}

CertificateId IdOf(const CertificateIdentity& identity) {
  return {identity.issuer_key_id, identity.serial};
}

std::string Ping() { return TestRequest{}.Text(); }

User Changed(TestServer& server, const char* name) { return *server.directory().Find(name); }

// More than the socket buffers hold, so that the response waits for a client that does not read.
constexpr size_t kLargeBytes = 32 << 20;

// A download in progress, of which the first bytes are sent.
class Download {
 public:
  Download(TestServer& server, const std::string& user,
           const ClientIdentity& identity = TestFleet::Get().desktop)
      : client_(TestClient::Tls(server.port(), &identity)) {
    const Digest digest = server.registry().AddBlob("team/app", std::string(kLargeBytes, 'x'));
    const uint64_t before = server.registry().BlobReads();
    client_.Send(
        TestRequest{.target = "/v2/team/app/blobs/" + digest.ToString(), .user = user}.Text());
    EXPECT_TRUE(Eventually([&] { return server.registry().BlobReads() > before; }));
  }
  // The response when the client reads on.
  TestResponse Finish() { return client_.Receive(); }

 private:
  TestClient client_;
};

double Revoked(TestServer& server) {
  return server.metrics().Counter("outport_http_connections_revoked_total", "").Value();
}

TEST(Revocation, I6ARevokedCertificateIsRejected) {
  TestServer server;
  TestClient waiting = server.Connect();
  ASSERT_EQ(waiting.Exchange(Ping()).status, 200);
  TestClient silent = server.Connect();  // sent nothing yet
  server.directory().Revoke(IdOf(Desktop()));
  EXPECT_TRUE(waiting.IsClosed());
  // Cut, or answered with the reason if the server had not checked its certificate yet.
  const int status = silent.Exchange(Ping()).status;
  EXPECT_TRUE(status == 0 || status == 400) << status;
  const TestResponse rejected = server.Call({});
  EXPECT_EQ(rejected.status, 400);
  EXPECT_EQ(rejected.ErrorCode(), "UNAUTHORIZED");
  EXPECT_NE(rejected.body.find("it was revoked"), std::string::npos) << rejected.body;
  EXPECT_NE(rejected.body.find("outportctl cert issue desktop"), std::string::npos);
}

TEST(Revocation, I6ADownloadEndsWhenItsCertificateIsRevoked) {
  TestServer server;
  Download download(server, "alice:wonder");
  server.directory().Revoke(IdOf(Desktop()));
  EXPECT_TRUE(Eventually([&] { return Revoked(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
}

TEST(Revocation, AnotherCertificateStaysValid) {
  TestServer server;
  Download download(server, "alice:wonder");
  server.directory().Revoke({Desktop().issuer_key_id, "00"});
  EXPECT_TRUE(download.Finish().complete);
  EXPECT_EQ(Revoked(server), 0);
}

// A change that revokes alice's access during her download, and the answer to her next request.
struct Change {
  const char* what;
  void (*change)(TestServer& server);
  int status;
  const char* says;
};

const Change kRevocations[] = {
    {"the user is removed", [](TestServer& server) { server.directory().Remove("alice"); }, 401,
     "the user name or the password is wrong"},
    {"the user is disabled",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.disabled = true;
       server.directory().Set(alice);
     },
     401, "user 'alice' is disabled"},
    {"the user has expired",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.expires = std::chrono::system_clock::now() - std::chrono::seconds(1);
       server.directory().Set(alice);
     },
     401, "user 'alice' expired"},
    {"the password is another",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.password_hash = *HashPassword("other", 4);
       server.directory().Set(alice);
     },
     401, "the user name or the password is wrong"},
    {"the user is bound to another certificate",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.only_from = {"laptop", "ci-*"};
       server.directory().Set(alice);
     },
     403,
     "only with a client certificate named 'laptop', 'ci-*'; the certificate that was sent is "
     "'desktop'"},
    {"the grant goes",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.grants = {*ParseGrant("push")};
       server.directory().Set(alice);
     },
     403, "user 'alice' has no grant to pull in 'team/app'"},
};

TEST(Revocation, I6ADownloadEndsWhenAccessIsRevoked) {
  for (const Change& c : kRevocations) {
    SCOPED_TRACE(c.what);
    TestServer server;
    Download download(server, "alice:wonder");
    c.change(server);
    EXPECT_TRUE(Eventually([&] { return Revoked(server) == 1; }));
    EXPECT_FALSE(download.Finish().complete);
    const TestResponse rejected = server.Call({.target = "/v2/team/app/manifests/latest"});
    EXPECT_EQ(rejected.status, c.status);
    EXPECT_NE(rejected.body.find(c.says), std::string::npos) << rejected.body;
  }
}

// A registry rechecks a write that has waited. The connection may be cut at the same time.
TEST(Revocation, I6AWriteIsReauthorisedWhenAccessIsRevoked) {
  std::promise<Result<void>> before;
  std::promise<Result<void>> after;
  TestServer server;
  server.registry().BeforePut([&](const Caller& caller) {
    before.set_value(caller.recheck());
    server.directory().Remove("alice");
    after.set_value(caller.recheck());
  });
  TestClient client = server.Connect();
  client.Send(TestRequest{
      .method = "PUT", .target = "/v2/team/app/manifests/v1", .user = "alice:wonder", .body = "{}"}
                  .Text());
  EXPECT_TRUE(before.get_future().get().has_value());
  const Result<void> revoked = after.get_future().get();
  ASSERT_FALSE(revoked.has_value());
  EXPECT_EQ(revoked.error().code, ErrorCode::kUnauthorized);
}

void ExpectOnlyOneCut(TestServer& server, Download& cut, Download& other) {
  EXPECT_TRUE(Eventually([&] { return Revoked(server) == 1; }));
  EXPECT_FALSE(cut.Finish().complete);
  EXPECT_TRUE(other.Finish().complete);
  EXPECT_EQ(Revoked(server), 1);
}

TEST(Revocation, I6ADownloadEndsWhenItsCertificateExpires) {
  TestServer server;
  Download lasting(server, "alice:wonder");
  const ClientIdentity soon = TestFleet::Get().ShortLived(std::chrono::seconds(6));
  Download download(server, "alice:wonder", soon);
  ExpectOnlyOneCut(server, download, lasting);
}

TEST(Revocation, I6ADownloadEndsWhenItsUserExpires) {
  TestServer server;
  Download download(server, "alice:wonder");
  Download lasting(server, "bob:builder");
  User alice = Changed(server, "alice");
  alice.expires = std::chrono::system_clock::now() + std::chrono::seconds(3);
  server.directory().Set(alice);  // no change follows
  ExpectOnlyOneCut(server, download, lasting);
}

TEST(Revocation, OfOthersDoesNotEndADownload) {
  TestServer server;
  Download download(server, "bob:builder");
  server.directory().Remove("alice");
  User bob = Changed(server, "bob");
  bob.grants = {*ParseGrant("pull:team/app")};  // less, and enough
  bob.only_from = {"desk*"};
  bob.expires = std::chrono::system_clock::now() + std::chrono::hours(1);
  server.directory().Set(bob);
  server.directory().SetGrants({SubjectKind::kGroup, "ops"}, {*ParseGrant("push")});
  EXPECT_TRUE(download.Finish().complete);
  EXPECT_EQ(Revoked(server), 0);
}

TEST(Revocation, OfAGroupsGrantEndsItsMembersDownloads) {
  TestServer server;
  const Subject team{SubjectKind::kGroup, "team"};
  server.directory().SetGrants(team, {*ParseGrant("pull:team/**")});
  User carol = Changed(server, "carol");
  carol.groups = {"team"};
  server.directory().Set(carol);
  Download download(server, "carol:singer");
  server.directory().SetGrants(team, {});
  EXPECT_TRUE(Eventually([&] { return Revoked(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
}

TEST(Anonymous, PullsWithAnAnonymousGrant) {
  TestServer server;
  const std::string digest = server.registry().AddBlob("public/app", "layer").ToString();
  server.registry().AddBlob("team/app", "layer");
  const TestRequest pull{.target = "/v2/public/app/blobs/" + digest, .user = ""};
  EXPECT_EQ(server.Call(pull).status, 401) << "anonymous has no grants yet";
  server.directory().SetGrants({SubjectKind::kAnonymous, {}}, {*ParseGrant("pull:public/**")});
  EXPECT_EQ(server.Call(pull).body, "layer");
  // Some clients without a login send empty credentials.
  TestRequest empty = pull;
  empty.fields = "Authorization: Basic Og==\r\n";
  EXPECT_EQ(server.Call(empty).status, 200);
  // Other repositories need a password: 401 with a challenge, not 403.
  const TestResponse elsewhere =
      server.Call({.target = "/v2/team/app/blobs/" + digest, .user = ""});
  EXPECT_EQ(elsewhere.status, 401);
  EXPECT_TRUE(elsewhere.Field("www-authenticate").starts_with("Basic"));
  EXPECT_EQ(
      server.Call({.method = "POST", .target = "/v2/public/app/blobs/uploads/", .user = ""}).status,
      401);
  // Docker sends its password if the ping is answered with 401.
  EXPECT_EQ(server.Call({.user = ""}).status, 401);
  EXPECT_EQ(server.Call({.target = "/v2/_catalog", .user = ""}).body,
            R"({"repositories":["public/app"]})");
  // A user has the anonymous grants too. A wrong password does not make a caller anonymous.
  EXPECT_EQ(server.Call({.target = pull.target, .user = "carol:singer"}).status, 200);
  EXPECT_EQ(server.Call({.target = pull.target, .user = "carol:wrong"}).status, 401);
}

// Docker's engine pulls nothing without a login if the ping is answered with 401.
TEST(Anonymous, MayLogInWithTheNameAnonymous) {
  TestServer server;
  const std::string digest = server.registry().AddBlob("public/app", "layer").ToString();
  const TestResponse nothing = server.Call({.user = "anonymous:any"});
  EXPECT_EQ(nothing.status, 401);
  EXPECT_NE(nothing.body.find("anonymous access is disabled"), std::string::npos);
  server.directory().SetGrants({SubjectKind::kAnonymous, {}}, {*ParseGrant("pull:public/**")});
  EXPECT_EQ(server.Call({.user = "anonymous:any"}).status, 200);
  EXPECT_EQ(server.Call({.user = "anonymous:other"}).status, 200);
  EXPECT_EQ(server.Call({.user = ""}).status, 401)
      << "the client asks whether it must send a password";
  const std::string blob = "/v2/public/app/blobs/" + digest;
  EXPECT_EQ(server.Call({.target = blob, .user = "anonymous:any"}).body, "layer");
  EXPECT_EQ(server
                .Call({.method = "POST",
                       .target = "/v2/public/app/blobs/uploads/",
                       .user = "anonymous:any"})
                .status,
            401);
}

TEST(CertificateGrants, NeedNoPassword) {
  TestServer server;
  const std::string digest = server.registry().AddBlob("team/app", "layer").ToString();
  server.directory().SetGrants({SubjectKind::kCertificate, "desktop"},
                               {*ParseGrant("pull:team/**")});
  EXPECT_EQ(server.Call({.user = ""}).status, 200);
  EXPECT_EQ(server.Call({.target = "/v2/team/app/blobs/" + digest, .user = ""}).status, 200);
  const TestResponse push =
      server.Call({.method = "POST", .target = "/v2/team/app/blobs/uploads/", .user = ""});
  EXPECT_EQ(push.status, 403);
  EXPECT_NE(push.body.find("certificate 'desktop' has no grant to push"), std::string::npos);
}

// Requests in progress are cut. An idle connection stays, and its next request gets the reason.
TEST(UnknownRevocations, EndRequestsInProgress) {
  std::atomic<bool> known = true;
  TestServer server({}, [&]() -> Result<void> {
    if (known) return {};
    return Error{ErrorCode::kUnavailable, "the latest revocations are not known"};
  });
  TestClient waiting = server.Connect();
  ASSERT_EQ(waiting.Exchange(Ping()).status, 200);
  Download download(server, "alice:wonder");
  known = false;
  EXPECT_TRUE(Eventually([&] { return Revoked(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
  EXPECT_EQ(waiting.Exchange(Ping()).status, 503);
}

TEST(UnknownRevocations, RejectNewRequestsWithTheReason) {
  Result<void> known = Error{ErrorCode::kUnavailable, "the latest revocations are not known"};
  TestServer server({}, [&] { return known; });
  const TestResponse rejected = server.Call({});
  EXPECT_EQ(rejected.status, 503);
  EXPECT_NE(rejected.body.find("the latest revocations are not known"), std::string::npos);
  known = {};
  EXPECT_EQ(server.Call({}).status, 200);
}

}  // namespace
}  // namespace outport::http
