#include "registry/rpc/peer_verifier.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/client_context.h>
#include <grpcpp/security/auth_context.h>

#include <atomic>
#include <fstream>

#include "registry/base/file.h"
#include "registry/rpc/status.h"
#include "tests/rpc/replication_fixture.h"
#include "tests/support/fleet_credentials.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/test_authority.h"

namespace outport::rpc {
namespace {

constexpr std::chrono::seconds kDeadline{20};

// Counts the calls that reach it.
class CountingService final : public v1::Replication::Service {
 public:
  grpc::Status Resolve(grpc::ServerContext*, const v1::ResolveRequest*,
                       v1::ResolveResponse*) override {
    ++calls;
    return grpc::Status::OK;
  }
  std::atomic<int> calls = 0;
};

// A fleet port with the credentials of a store, and one service.
class PeerVerifierTest : public testing::Test {
 protected:
  ~PeerVerifierTest() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + 1s);
  }
  TlsFiles Write(const std::string& name, const TlsIdentity& identity) const {
    const TlsFiles files{folder_.path() / (name + ".crt"), folder_.path() / (name + ".key"),
                         folder_.path() / (name + "-ca.crt")};
    std::ofstream(files.private_key) << identity.private_key;
    std::ofstream(files.certificate_chain) << identity.certificate_chain;
    std::ofstream(files.authorities) << identity.authorities;
    return files;
  }
  void Serve(const TlsIdentity& identity) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             ReloadingServerCredentials(Write("store", identity), gate_), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  // `server` receives the certificate that the server showed, unless it is null.
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel,
                           std::string* server = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    v1::ResolveResponse response;
    const grpc::Status status = v1::Replication::NewStub(channel)->Resolve(&context, {}, &response);
    if (server != nullptr && status.ok()) {
      const auto shown =
          context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
      *server = std::string(shown.front().data(), shown.front().size());
    }
    return status;
  }

  TemporaryFolder folder_;
  TestAuthority authority_;
  AccessDirectory directory_;
  std::shared_ptr<MemberGate> gate_ =
      std::make_shared<MemberGate>("outport", directory_, Log::Nowhere());
  CountingService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(PeerVerifierTest, I6TheFleetPortAdmitsOnlyMembersAndAdministrators) {
  Serve(authority_.Issue(Role::kStore, "store"));
  const TlsIdentity revoked = authority_.Issue(Role::kAdmin, "revoked");
  const CertificateIdentity serial = *pki::Inspect(revoked.certificate_chain);
  directory_.Revoke({serial.issuer_key_id, serial.serial});
  TlsIdentity nobody = authority_.Issue(Role::kNode, "eu");
  nobody.certificate_chain.clear();
  nobody.private_key.clear();
  struct Case {
    const char* name;
    TlsIdentity identity;
    bool admitted;
  };
  const Case kCases[] = {
      {"a node", authority_.Issue(Role::kNode, "eu"), true},
      {"an administrator", authority_.Issue(Role::kAdmin, "admin"), true},
      {"nobody, who may enrol", nobody, true},
      {"a client", authority_.Issue(Role::kClient, "laptop"), false},
      {"a store", authority_.Issue(Role::kStore, "store"), false},
      {"a revoked administrator", revoked, false},
      {"a node of another domain",
       authority_.Issue(Role::kNode, "eu", std::chrono::hours(1), "elsewhere"), false},
  };
  for (const Case& c : kCases) {
    const int before = service_.calls;
    const grpc::Status status = Call(DialAnyServer(address_, c.identity));
    EXPECT_EQ(status.ok(), c.admitted) << c.name << ": " << status.error_message();
    EXPECT_EQ(service_.calls, before + (c.admitted ? 1 : 0)) << c.name;
    const std::string explained = FromStatus(status, "asking").message;
    EXPECT_EQ(explained.contains(kClosedInHandshake), !c.admitted) << c.name << ": " << explained;
  }
}

TEST_F(PeerVerifierTest, AClosedGateUsesNoDirectory) {
  auto directory = std::make_unique<AccessDirectory>();
  MemberGate gate("outport", *directory, Log::Nowhere());
  const std::string admin = authority_.Issue(Role::kAdmin, "admin").certificate_chain;
  EXPECT_TRUE(gate.Admit(admin).has_value());
  gate.Close();
  directory.reset();
  EXPECT_EQ(gate.Admit(admin).error().code, ErrorCode::kUnavailable);
}

TEST_F(PeerVerifierTest, I6TheGateExplainsItsRefusals) {
  const auto now = std::chrono::system_clock::now();
  const TlsIdentity other = authority_.IssueServer(Role::kNode, "eu", "127.0.0.1", "elsewhere");
  struct Case {
    const char* name;
    std::string certificate;
    const char* reason;
  };
  const Case kCases[] = {
      {"a client", authority_.Issue(Role::kClient, "laptop").certificate_chain,
       "spiffe://outport/client/laptop"},
      {"another domain", other.certificate_chain, "spiffe://elsewhere/node/eu"},
      {"not yet valid",
       authority_.IssueBetween(Role::kNode, "eu", now + 1h, now + 48h).certificate_chain,
       "is not valid before"},
      {"expired", authority_.IssueBetween(Role::kNode, "eu", now - 48h, now - 1h).certificate_chain,
       "has expired; renew it"},
      {"garbage", "-----BEGIN GARBAGE-----", "certificate"},
  };
  for (const Case& c : kCases) {
    const Result<void> admitted = gate_->Admit(c.certificate);
    ASSERT_FALSE(admitted.has_value()) << c.name;
    EXPECT_TRUE(admitted.error().message.contains(c.reason))
        << c.name << ": " << admitted.error().message;
  }
}

TEST_F(PeerVerifierTest, I6TheDomainOfTheStoreCounts) {
  Serve(authority_.Issue(Role::kStore, "store"));
  TlsIdentity nobody = authority_.Issue(Role::kNode, "eu");
  nobody.certificate_chain.clear();
  nobody.private_key.clear();
  nobody.domain = "elsewhere";
  const grpc::Status joining = Call(Dial(address_, nobody, true));
  EXPECT_TRUE(joining.error_message().contains(kNotTheStore)) << joining.error_message();
  const TlsFiles files = Write("node", authority_.Issue(Role::kNode, "eu"));
  const grpc::Status node =
      Call(Dial(address_, ReloadingChannelCredentials(files, "elsewhere"), true));
  EXPECT_TRUE(node.error_message().contains(kNotTheStore)) << node.error_message();
  EXPECT_EQ(service_.calls, 0);
}

// A renewal replaces the file of the certificate and keeps the key. The credentials read the file
// again.
TEST_F(PeerVerifierTest, RenewedCertificatesAreAccepted) {
  const TlsIdentity store = authority_.Issue(Role::kStore, "store");
  const TlsIdentity node = authority_.Issue(Role::kNode, "eu");
  Serve(store);
  const TlsFiles files = Write("node", node);
  const auto credentials = ReloadingChannelCredentials(files, "outport");
  std::string before;
  const grpc::Status first = Call(Dial(address_, credentials, true), &before);
  ASSERT_TRUE(first.ok()) << first.error_message();
  const std::string chain = authority_.Renew(Role::kStore, "store", store).certificate_chain;
  ASSERT_TRUE(ReplaceFile(folder_.path() / "store.crt", chain).has_value());
  ASSERT_TRUE(ReplaceFile(files.certificate_chain,
                          authority_.Renew(Role::kNode, "eu", node).certificate_chain)
                  .has_value());
  const std::string renewed = pki::SplitCertificates(chain)->front();
  std::string shown;
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (shown != renewed && std::chrono::steady_clock::now() < deadline) {
    const grpc::Status again = Call(Dial(address_, credentials, true), &shown);
    ASSERT_TRUE(again.ok()) << again.error_message();
  }
  EXPECT_EQ(shown, renewed);
  EXPECT_NE(shown, before);
}

}  // namespace
}  // namespace outport::rpc
