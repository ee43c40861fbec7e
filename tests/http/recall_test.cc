#include <gtest/gtest.h>

#include <atomic>

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

// More than the sockets between take up, so that a client that does not read holds the answer up.
constexpr size_t kLargeBytes = 32 << 20;

// A connection on which a download is under way, as far as its first bytes.
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
  // What comes of it when the client reads on.
  TestResponse Finish() { return client_.Receive(); }

 private:
  TestClient client_;
};

double Recalled(TestServer& server) {
  return server.metrics().Counter("outport_http_connections_revoked_total", "").Value();
}

TEST(Recall, I6ARevokedCertificateIsRefused) {
  TestServer server;
  TestClient waiting = server.Connect();
  ASSERT_EQ(waiting.Exchange(Ping()).status, 200);
  TestClient silent = server.Connect();  // sent nothing yet
  server.directory().Revoke(IdOf(Desktop()));
  EXPECT_TRUE(waiting.IsClosed());
  // Cut, or, if the server had not looked at its certificate yet, told why.
  const int told = silent.Exchange(Ping()).status;
  EXPECT_TRUE(told == 0 || told == 400) << told;
  const TestResponse refused = server.Call({});
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.ErrorCode(), "UNAUTHORIZED");
  EXPECT_NE(refused.body.find("it was revoked"), std::string::npos) << refused.body;
  EXPECT_NE(refused.body.find("outportctl cert issue desktop"), std::string::npos);
}

TEST(Recall, I6ADownloadEndsWithTheCertificate) {
  TestServer server;
  Download download(server, "alice:wonder");
  server.directory().Revoke(IdOf(Desktop()));
  EXPECT_TRUE(Eventually([&] { return Recalled(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
}

TEST(Recall, AnotherCertificateStays) {
  TestServer server;
  Download download(server, "alice:wonder");
  server.directory().Revoke({Desktop().issuer_key_id, "00"});
  EXPECT_TRUE(download.Finish().complete);
  EXPECT_EQ(Recalled(server), 0);
}

// What happens to alice while she downloads, and what she is told when she comes again.
struct Change {
  const char* what;
  void (*change)(TestServer& server);
  int status;
  const char* says;
};

const Change kTakenAway[] = {
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
     403, "only with a client certificate named 'laptop', 'ci-*'; this one is 'desktop'"},
    {"the grant goes",
     [](TestServer& server) {
       User alice = Changed(server, "alice");
       alice.grants = {*ParseGrant("push")};
       server.directory().Set(alice);
     },
     403, "user 'alice' has no grant to pull in 'team/app'"},
};

TEST(Recall, I6ADownloadEndsWithWhatAllowedIt) {
  for (const Change& c : kTakenAway) {
    SCOPED_TRACE(c.what);
    TestServer server;
    Download download(server, "alice:wonder");
    c.change(server);
    EXPECT_TRUE(Eventually([&] { return Recalled(server) == 1; }));
    EXPECT_FALSE(download.Finish().complete);
    const TestResponse refused = server.Call({.target = "/v2/team/app/manifests/latest"});
    EXPECT_EQ(refused.status, c.status);
    EXPECT_NE(refused.body.find(c.says), std::string::npos) << refused.body;
  }
}

void ExpectCutAlone(TestServer& server, Download& cut, Download& other) {
  EXPECT_TRUE(Eventually([&] { return Recalled(server) == 1; }));
  EXPECT_FALSE(cut.Finish().complete);
  EXPECT_TRUE(other.Finish().complete);
  EXPECT_EQ(Recalled(server), 1);
}

TEST(Recall, I6ADownloadEndsWhenTheCertificateRunsOut) {
  TestServer server;
  Download lasting(server, "alice:wonder");
  const ClientIdentity soon = TestFleet::Get().ShortLived(std::chrono::seconds(6));
  Download download(server, "alice:wonder", soon);
  ExpectCutAlone(server, download, lasting);
}

TEST(Recall, I6ADownloadEndsWhenTheUserExpires) {
  TestServer server;
  Download download(server, "alice:wonder");
  Download lasting(server, "bob:builder");
  User alice = Changed(server, "alice");
  alice.expires = std::chrono::system_clock::now() + std::chrono::seconds(3);
  server.directory().Set(alice);  // the last change there is
  ExpectCutAlone(server, download, lasting);
}

TEST(Recall, WhatOthersLoseEndsNothing) {
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
  EXPECT_EQ(Recalled(server), 0);
}

TEST(Recall, AGroupsGrantGoesForItsMembers) {
  TestServer server;
  const Subject team{SubjectKind::kGroup, "team"};
  server.directory().SetGrants(team, {*ParseGrant("pull:team/**")});
  User carol = Changed(server, "carol");
  carol.groups = {"team"};
  server.directory().Set(carol);
  Download download(server, "carol:singer");
  server.directory().SetGrants(team, {});
  EXPECT_TRUE(Eventually([&] { return Recalled(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
}

TEST(Anonymous, PullsWhatAnybodyMay) {
  TestServer server;
  const std::string digest = server.registry().AddBlob("public/app", "layer").ToString();
  server.registry().AddBlob("team/app", "layer");
  const TestRequest pull{.target = "/v2/public/app/blobs/" + digest, .user = ""};
  EXPECT_EQ(server.Call(pull).status, 401) << "nothing is granted to anybody yet";
  server.directory().SetGrants({SubjectKind::kAnonymous, {}}, {*ParseGrant("pull:public/**")});
  EXPECT_EQ(server.Call(pull).body, "layer");
  // Clients that have no login send an empty one.
  TestRequest empty = pull;
  empty.fields = "Authorization: Basic Og==\r\n";
  EXPECT_EQ(server.Call(empty).status, 200);
  // What else there is has to be asked for with a password: 401 and the challenge, not 403.
  const TestResponse elsewhere =
      server.Call({.target = "/v2/team/app/blobs/" + digest, .user = ""});
  EXPECT_EQ(elsewhere.status, 401);
  EXPECT_TRUE(elsewhere.Field("www-authenticate").starts_with("Basic"));
  EXPECT_EQ(
      server.Call({.method = "POST", .target = "/v2/public/app/blobs/uploads/", .user = ""}).status,
      401);
  // Docker learns by the ping whether to send its password.
  EXPECT_EQ(server.Call({.user = ""}).status, 401);
  EXPECT_EQ(server.Call({.target = "/v2/_catalog", .user = ""}).body,
            R"({"repositories":["public/app"]})");
  // A user has what anybody has, and a wrong password is no nobody.
  EXPECT_EQ(server.Call({.target = pull.target, .user = "carol:singer"}).status, 200);
  EXPECT_EQ(server.Call({.target = pull.target, .user = "carol:wrong"}).status, 401);
}

// Docker's engine pulls nothing without a login where the ping is answered 401.
TEST(Anonymous, HasANameForWhoCannotComeWithout) {
  TestServer server;
  const std::string digest = server.registry().AddBlob("public/app", "layer").ToString();
  const TestResponse nothing = server.Call({.user = "anonymous:any"});
  EXPECT_EQ(nothing.status, 401);
  EXPECT_NE(nothing.body.find("anonymous access is disabled"), std::string::npos);
  server.directory().SetGrants({SubjectKind::kAnonymous, {}}, {*ParseGrant("pull:public/**")});
  EXPECT_EQ(server.Call({.user = "anonymous:any"}).status, 200);
  EXPECT_EQ(server.Call({.user = "anonymous:other"}).status, 200);
  EXPECT_EQ(server.Call({.user = ""}).status, 401) << "it asks whether to send a password";
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

// It may not go on with what it could not begin now; whoever waits is told with the next request.
TEST(Standing, EndsWhatIsUnderWay) {
  std::atomic<bool> known = true;
  TestServer server({}, [&]() -> Result<void> {
    if (known) return {};
    return Error{ErrorCode::kUnavailable, "the latest revocations are not known"};
  });
  TestClient waiting = server.Connect();
  ASSERT_EQ(waiting.Exchange(Ping()).status, 200);
  Download download(server, "alice:wonder");
  known = false;
  EXPECT_TRUE(Eventually([&] { return Recalled(server) == 1; }));
  EXPECT_FALSE(download.Finish().complete);
  EXPECT_EQ(waiting.Exchange(Ping()).status, 503);
}

TEST(Standing, WhyNobodyMayComeInIsTold) {
  Result<void> known = Error{ErrorCode::kUnavailable, "the latest revocations are not known"};
  TestServer server({}, [&] { return known; });
  const TestResponse refused = server.Call({});
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.body.find("the latest revocations are not known"), std::string::npos);
  known = {};
  EXPECT_EQ(server.Call({}).status, 200);
}

}  // namespace
}  // namespace outport::http
