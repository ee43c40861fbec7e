#include "control/console/store_client.h"

#include <atomic>

#include "registry/rpc/peer_verifier.h"
#include "registry/security/pki/openssl.h"
#include "tests/control/program_fixture.h"

namespace outport::control {
namespace {

// Records the calls of administrators.
class RecordingAdmin final : public v1::Admin::Service {
 public:
  grpc::Status AddUser(grpc::ServerContext*, const v1::AddUserRequest*,
                       v1::AddUserResponse*) override {
    ++calls;
    return grpc::Status::OK;
  }
  std::atomic<int> calls = 0;
};

class StoreClientTest : public ProgramTest {
 protected:
  // A certificate for a TLS server.
  rpc::TlsIdentity ServerOf(Role role, const std::string& host, const std::string& domain) {
    pki::Authority authority = files_.authority;
    authority.domain = domain;
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role,
                                   .name = "us",
                                   .host_names = {host},
                                   .server = true,
                                   .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(authority, *pki::CreateRequest(key), options);
    return {leaf.certificate + authority.issuing.certificate, key,
            store::TrustStateOf(files_.authority).bundle};
  }
  // Adds a user at a server with this identity, with the administrator's profile.
  Outcome AddUserAt(const rpc::TlsIdentity& server, RecordingAdmin& service) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", rpc::FleetServerCredentials(server), &port);
    builder.RegisterService(&service);
    const auto running = builder.BuildAndStart();
    EXPECT_NE(running, nullptr);
    Profile profile = *Profile::Load(profile_);
    profile.folder = folder_.path() / "elsewhere";
    profile.store = "127.0.0.1:" + std::to_string(port);
    EXPECT_TRUE(profile.Save().has_value());
    const Outcome outcome = RunWith(
        {"--profile", profile.folder.native(), "user", "add", "ci", "--allow", "pull"}, "secret\n");
    running->Shutdown(std::chrono::system_clock::now());
    return outcome;
  }
};

TEST_F(StoreClientTest, I6SendsNothingToAServerThatIsNotTheStore) {
  struct Case {
    const char* name;
    rpc::TlsIdentity server;
    const char* reason;  // nullptr: accepted
  };
  const Case kCases[] = {
      {"a node", ServerOf(Role::kNode, "127.0.0.1", "outport"),
       "the server is not the store of this fleet: its certificate is for "
       "spiffe://outport/node/us"},
      {"an administrator", ServerOf(Role::kAdmin, "127.0.0.1", "outport"),
       "spiffe://outport/admin/us"},
      {"another domain", ServerOf(Role::kStore, "127.0.0.1", "elsewhere"),
       "spiffe://elsewhere/store/us"},
      {"another host", ServerOf(Role::kStore, "192.0.2.1", "outport"),
       "not valid for the name 127.0.0.1; nothing was sent to it; check 'store' in "},
      {"the store", ServerOf(Role::kStore, "127.0.0.1", "outport"), nullptr},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    RecordingAdmin service;
    const Outcome outcome = AddUserAt(c.server, service);
    EXPECT_EQ(service.calls, c.reason == nullptr ? 1 : 0) << outcome.err;
    if (c.reason != nullptr) ExpectOneLine(outcome, c.reason);
  }
}

TEST_F(StoreClientTest, ACertificateOfTheFutureIsNamed) {
  Profile profile = *Profile::Load(profile_);
  const auto chain = *openssl::ReadCertificates(profile.identity.certificate_chain);
  X509* leaf = chain.front().get();
  X509_gmtime_adj(X509_getm_notBefore(leaf), 3600);
  const auto key = *openssl::ReadPrivateKey(files_.authority.issuing.private_key);
  ASSERT_GT(X509_sign(leaf, key.get(), EVP_sha256()), 0);
  profile.identity.certificate_chain = openssl::ToPem(leaf) + files_.authority.issuing.certificate;
  profile.folder = folder_.path() / "future";
  ASSERT_TRUE(profile.Save().has_value());
  ExpectOneLine(RunWith({"--profile", profile.folder.native(), "user", "list"}),
                "is not valid before");
}

// The store closes the connection of a caller whose certificate it refuses, and gives no reason.
TEST_F(StoreClientTest, AnAdministratorsProfileNeedsTheRole) {
  AccessDirectory directory;
  const auto gate = std::make_shared<rpc::MemberGate>("outport", directory, Log::Nowhere());
  grpc::ServerBuilder builder;
  int port = 0;
  const std::filesystem::path pki = folder_.path() / "pki";
  builder.AddListeningPort("127.0.0.1:0",
                           rpc::ReloadingServerCredentials(
                               {pki / "server.crt", pki / "server.key", pki / "trusted.crt"}, gate),
                           &port);
  RecordingAdmin service;
  builder.RegisterService(&service);
  const auto running = builder.BuildAndStart();
  ASSERT_NE(running, nullptr);
  Profile profile = *Profile::Load(profile_);
  profile.store = "127.0.0.1:" + std::to_string(port);
  const CertificateIdentity own = *pki::Inspect(profile.identity.certificate_chain);
  profile.folder = folder_.path() / "laptop";
  const rpc::TlsIdentity administrator = profile.identity;
  profile.identity = IdentityOf(Role::kClient, "laptop");
  ASSERT_TRUE(profile.Save().has_value());
  ExpectOneLine(RunWith({"--profile", profile.folder.native(), "user", "list"}),
                "has the role 'client'");
  profile.identity = administrator;
  ASSERT_TRUE(profile.Save().has_value());
  directory.Revoke({own.issuer_key_id, own.serial});
  ExpectOneLine(RunWith({"--profile", profile.folder.native(), "user", "list"}),
                "for example because it was revoked");
  running->Shutdown(std::chrono::system_clock::now());
}

}  // namespace
}  // namespace outport::control
