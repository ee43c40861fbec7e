#include "node/membership/join.h"

#include <atomic>

#include "node/membership/node_identity.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::node {
namespace {

namespace fs = std::filesystem;

// A node's machine that joins the store of the fixture.
class JoinTest : public store::FleetServerFixture {
 protected:
  JoinOptions Options(const InvitationToken& token) const {
    JoinOptions options;
    options.data = data_;
    options.token = token.Encode();
    return options;
  }
  std::string Read(const fs::path& path) const { return ReadWholeFile(path).value_or(""); }

  TemporaryFolder machine_;
  fs::path data_ = machine_.path() / "node";
};

TEST_F(JoinTest, WritesTheFilesOfTheNode) {
  const auto joined = Join(Options(Invite("eu")));
  ASSERT_TRUE(joined.has_value()) << joined.error().message;
  EXPECT_EQ(joined->node, "eu");
  const fs::path pki = data_ / "pki";
  EXPECT_EQ(pki::Inspect(Read(pki / "identity.crt"))->name, "eu");
  EXPECT_EQ(Read(pki / "authorities.crt"), store::TrustStateOf(files_.authority).bundle);
  for (const char* key : {"identity.key", "server.key"}) {
    EXPECT_TRUE(ReadSecretFile(pki / key).has_value()) << key;
  }
  EXPECT_NE(Read(data_ / "node.yml").find("store: \"" + address_ + "\""), std::string::npos);
}

TEST_F(JoinTest, WritesTheFormatsOfANewFolder) {
  JoinOptions options = Options(Invite("eu"));
  options.version = "1.2.3";
  ASSERT_TRUE(Join(options).has_value());
  EXPECT_TRUE(Read(data_ / "format").ends_with("\nwritten-by 1.2.3\n")) << Read(data_ / "format");
}

// Rows of an earlier format are there: only `serve` upgrades them.
TEST_F(JoinTest, LeavesTheFormatsOfDataThatExist) {
  fs::create_directories(data_ / "meta");
  ASSERT_TRUE(Join(Options(Invite("eu"))).has_value());
  EXPECT_FALSE(fs::exists(data_ / "format"));
}

TEST_F(JoinTest, I15RefusesNewerDataBeforeItUsesTheToken) {
  const InvitationToken token = Invite("eu");
  fs::create_directories(data_);
  ASSERT_TRUE(ReplaceFile(data_ / "format", "node-metadata 99\nwritten-by 9.9.9\n").has_value());
  const auto refused = Join(Options(token));
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("run release 9.9.9"), std::string::npos)
      << refused.error().message;
  EXPECT_FALSE(fs::exists(data_ / "pki"));
  fs::remove(data_ / "format");
  JoinOptions other = Options(token);
  other.data = machine_.path() / "other";  // another machine: the token is still unused
  EXPECT_TRUE(Join(other).has_value());
}

TEST_F(JoinTest, ItsKeysHaveTheRequestedType) {
  JoinOptions options = Options(Invite("eu"));
  options.key_type = "rsa-1024";
  EXPECT_NE(Join(options).error().message.find("'rsa-1024' is not a key type"), std::string::npos);
  options.key_type = "rsa-2048";
  const auto joined = Join(options);
  ASSERT_TRUE(joined.has_value()) << joined.error().message;
  for (const char* certificate : {"identity.crt", "server.crt"}) {
    EXPECT_EQ(pki::Describe(Read(data_ / "pki" / certificate))->key, "RSA 2048") << certificate;
  }
}

// Users who may enter the folder could have replaced the keys.
TEST_F(JoinTest, RejectsAKeyFolderThatOthersMayEnter) {
  ASSERT_TRUE(Join(Options(Invite("eu"))).has_value());
  ASSERT_TRUE(LoadNodeIdentity(data_).has_value());
  fs::permissions(data_ / "pki", fs::perms::owner_all | fs::perms::group_exec);
  const auto refused = LoadNodeIdentity(data_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("chmod 700 " + (data_ / "pki").native()),
            std::string::npos)
      << refused.error().message;
}

TEST_F(JoinTest, RejectsAFolderThatHasJoined) {
  ASSERT_TRUE(Join(Options(Invite("eu"))).has_value());
  const std::string before = Read(data_ / "pki" / "identity.crt");
  const auto again = Join(Options(Invite("us")));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  EXPECT_NE(again.error().message.find("as 'eu'"), std::string::npos) << again.error().message;
  EXPECT_EQ(Read(data_ / "pki" / "identity.crt"), before);
}

TEST_F(JoinTest, ARetryAfterACrashUsesTheSameKeysAndToken) {
  const InvitationToken token = Invite("eu");
  ASSERT_TRUE(Join(Options(token)).has_value());
  const std::string key = Read(data_ / "pki" / "identity.key");
  // Simulates a crash before the last file was written.
  fs::remove(data_ / "pki" / "identity.crt");
  const auto again = Join(Options(token));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(Read(data_ / "pki" / "identity.key"), key);
}

TEST_F(JoinTest, AnotherMachineCannotUseTheTokenAgain) {
  const InvitationToken token = Invite("eu");
  ASSERT_TRUE(Join(Options(token)).has_value());
  JoinOptions thief = Options(token);
  thief.data = machine_.path() / "thief";
  const auto joined = Join(thief);
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code, ErrorCode::kDenied);
  EXPECT_NE(joined.error().message.find("has been used"), std::string::npos);
  EXPECT_FALSE(fs::exists(thief.data / "pki" / "identity.crt"));
}

TEST_F(JoinTest, I6SendsNothingToAStoreThatTheTokenDoesNotName) {
  InvitationToken token = Invite("eu");
  token.root_fingerprint = std::string(64, '0');
  const auto joined = Join(Options(token));
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code, ErrorCode::kDenied);
  EXPECT_NE(joined.error().message.find("does not belong to the fleet"), std::string::npos);
  // The token is still unused: its owner can join.
  token.root_fingerprint = *pki::Fingerprint(files_.authority.root.certificate);
  EXPECT_TRUE(Join(Options(token)).has_value());
}

// Records whether a machine sends its token.
class RecordingEnrollment final : public v1::Enrollment::Service {
 public:
  grpc::Status Enroll(grpc::ServerContext*, const v1::EnrollRequest*,
                      v1::EnrollResponse*) override {
    ++tokens;
    return grpc::Status::OK;
  }
  std::atomic<int> tokens = 0;
};

// The server shows the fleet's root, which is public, but it is not the store.
TEST_F(JoinTest, I6SendsTheTokenOnlyToTheStore) {
  const auto issue = [this](const pki::Authority& authority, Role role, const std::string& host) {
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role,
                                   .name = "us",
                                   .host_names = {host},
                                   .server = true,
                                   .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(authority, *pki::CreateRequest(key), options);
    return rpc::TlsIdentity{
        leaf.certificate + authority.issuing.certificate + files_.authority.root.certificate, key,
        files_.authority.root.certificate};
  };
  struct Case {
    const char* name;
    rpc::TlsIdentity identity;
    const char* reason;
  };
  const Case kCases[] = {
      {"a node", issue(files_.authority, Role::kNode, "127.0.0.1"), "spiffe://outport/node/us"},
      {"a store for another host", issue(files_.authority, Role::kStore, "192.0.2.1"),
       "not valid for the name 127.0.0.1"},
      {"a store of another fleet",
       issue(*pki::CreateAuthority("outport"), Role::kStore, "127.0.0.1"), "verify failed"},
  };
  for (const Case& c : kCases) {
    RecordingEnrollment service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", rpc::FleetServerCredentials(c.identity), &port);
    builder.RegisterService(&service);
    const auto server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);
    InvitationToken token = Invite("eu", {}, store::Invitations::ExistingNode::kReplace);
    token.store_address = "127.0.0.1:" + std::to_string(port);
    const auto joined = Join(Options(token));
    server->Shutdown(std::chrono::system_clock::now());
    ASSERT_FALSE(joined.has_value()) << c.name;
    EXPECT_TRUE(joined.error().message.contains(c.reason))
        << c.name << ": " << joined.error().message;
    EXPECT_EQ(service.tokens, 0) << c.name;
  }
}

TEST_F(JoinTest, AnUnreachableStoreIsNamed) {
  InvitationToken token = Invite("eu");
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
  const auto joined = Join(Options(token));
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(joined.error().message.find(address_), std::string::npos) << joined.error().message;
}

TEST_F(JoinTest, AnInvalidConfigurationDoesNotUseTheToken) {
  const InvitationToken token = Invite("eu");
  const auto refused = [&](const JoinOptions& options, const std::string& said) {
    const auto joined = Join(options);
    ASSERT_FALSE(joined.has_value()) << said;
    EXPECT_NE(joined.error().message.find(said), std::string::npos) << joined.error().message;
    EXPECT_FALSE(fs::exists(data_)) << "no file was created";
  };
  JoinOptions options = Options(token);
  options.registry_listen = "localhost:5000";
  refused(options, "'registry.listen'");
  options = Options(token);
  options.operations_listen = options.registry_listen;
  refused(options, "is already used by");
  options = Options(token);
  options.config_out = "/nonexistent/x.yml";
  refused(options, "another --config-out");

  options = Options(token);
  options.data = machine_.path() / "another";
  EXPECT_TRUE(Join(options).has_value()) << "from another machine: the token is still unused";
}

TEST_F(JoinTest, AnotherConfigurationIsNotOverwritten) {
  fs::create_directories(data_);
  ASSERT_TRUE(ReplaceFile(data_ / "node.yml", "data: elsewhere\n").has_value());
  const auto joined = Join(Options(Invite("eu")));
  ASSERT_FALSE(joined.has_value());
  EXPECT_EQ(joined.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(Read(data_ / "node.yml"), "data: elsewhere\n");
}

}  // namespace
}  // namespace outport::node
