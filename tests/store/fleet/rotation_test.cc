#include "store/fleet/rotation.h"

#include <grpcpp/client_context.h>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/tls/client_trust.h"
#include "store/authority/fleet_files.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

class RotationTest : public FleetServerFixture {
 protected:
  RotationTest() {
    EXPECT_TRUE(fleet_.Load());
    EXPECT_TRUE(rotation_.Recover());
  }
  std::filesystem::path pki() const { return folder_.path() / "pki"; }
  Administrator By(const std::string& issuer = "another") { return {kAdmin, {issuer, "serial"}}; }
  Result<v1::Rotation> Start(const std::string& kind) {
    v1::StartRotationRequest request;
    request.set_kind(kind);
    return rotation_.Start(request, kAdmin);
  }
  // Takes the step from the present phase.
  Result<v1::Rotation> Advance(bool force, const Administrator& by) {
    v1::AdvanceRotationRequest request;
    request.set_force(force);
    request.set_from_phase(rotation_.Get()->phase());
    return rotation_.Advance(request, by);
  }
  Result<v1::Rotation> Undo(bool force, const Administrator& by) {
    v1::UndoRotationRequest request;
    request.set_force(force);
    request.set_from_phase(rotation_.Get()->phase());
    return rotation_.Undo(request, by);
  }
  // Adds a connected member.
  void AddNode(const std::string& name) {
    const auto transaction = meta_->Begin();
    v1::NodeRow row;
    row.set_name(name);
    ASSERT_TRUE(WriteRow(*transaction, keys::Node(name), row));
    ASSERT_TRUE(transaction->Commit());
    tickets_[name] = nodes_.Connect(name, "192.0.2.1", [](const Error&) {});
  }
  void Ping(const std::string& name) {
    const auto trust = fleet_.authorities.Current();
    v1::NodeMessage::Ping ping;
    ping.set_authorities(pki::BundleHash(trust->bundle));
    for (int i = 0; i < 2; ++i) ping.add_chains(pki::BundleHash(trust->chain));
    nodes_.RecordPing(name, tickets_[name], 1, ping);
  }
  Certificates::Issued IssueTo(const std::string& name) {
    const std::string key = pki::CreatePrivateKey();
    return *fleet_.certificates.Issue(Role::kClient, name, *pki::CreateRequest(key), 0, kAdmin);
  }
  static std::string IssuerOf(const Certificates::Issued& issued) {
    return issued.row.issuer_key_id();
  }
  bool IsRevoked(const Certificates::Issued& issued) {
    return directory_.IsRevoked(*pki::Inspect(issued.chain));
  }
  // Whether a client that trusts only `roots` accepts `chain`.
  static bool Accepts(const std::string& roots, const std::string& chain) {
    const auto trust = *ClientTrust::Create({.fleet = roots});
    const auto certificates = *openssl::ReadCertificates(chain);
    STACK_OF(X509)* sent = sk_X509_new_null();
    for (const auto& certificate : certificates) sk_X509_push(sent, certificate.get());
    const int code = trust.Verify(certificates.front().get(), sent, clock().Wall());
    sk_X509_free(sent);
    return code == X509_V_OK;
  }
  static const Clock& clock() {
    static const SystemClock kClock;
    return kClock;
  }
  // Restarts the store: its memory is lost.
  void Restart() {
    fleet_.authorities.Set(TrustStateOf(LoadAuthorityFiles(pki(), "outport")->authority));
    const auto recovered = rotation_.Recover();
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
  }

  std::map<std::string, uint64_t> tickets_;
};

TEST_F(RotationTest, AnIssuingCaIsRotatedStepByStep) {
  const auto before = IssueTo("before");
  const auto started = Start("issuing");
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(started->phase(), "trust");
  EXPECT_EQ(started->next_root(), "");
  EXPECT_EQ(IssuerOf(IssueTo("meanwhile")), IssuerOf(before));
  ASSERT_TRUE(Advance(false, By()).has_value());
  const auto after = IssueTo("after");
  EXPECT_NE(IssuerOf(after), IssuerOf(before));
  EXPECT_TRUE(Accepts(before.authorities, after.chain));
  EXPECT_FALSE(IsRevoked(before)) << "both are valid";

  const auto refused = Advance(false, By());
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.contains("2 certificates")) << refused.error().message;
  const auto own = Advance(true, By(IssuerOf(before)));
  ASSERT_FALSE(own.has_value()) << "an administrator cannot revoke the own certificate";
  ASSERT_TRUE(Advance(true, By()).has_value());
  EXPECT_TRUE(IsRevoked(before));
  EXPECT_FALSE(IsRevoked(after));
  EXPECT_TRUE(fleet_.certificates.Find(before.row.serial())->has_revocation());
  EXPECT_EQ(rotation_.Get()->kind(), "");
  EXPECT_FALSE(std::filesystem::exists(pki() / "next"));
  Restart();
  EXPECT_EQ(IssuerOf(IssueTo("later")), IssuerOf(after));
  EXPECT_FALSE(Advance(false, By()).has_value()) << "no rotation is in progress";
}

TEST_F(RotationTest, BothRootsAreAcceptedDuringARotation) {
  const auto before = IssueTo("before");
  ASSERT_TRUE(Start("root").has_value());
  const auto meanwhile = IssueTo("meanwhile");
  EXPECT_EQ(pki::SplitCertificates(meanwhile.authorities)->size(), 2u)
      << "clients learn of the next root";
  ASSERT_TRUE(Advance(false, By()).has_value());
  const auto after = IssueTo("after");
  const std::string new_root = pki::SplitCertificates(after.authorities)->front();
  ASSERT_NE(new_root, before.authorities);
  EXPECT_TRUE(Accepts(before.authorities, after.chain)) << "by the cross certificate";
  const std::string server = *ReadWholeFile(pki() / "server.crt");
  EXPECT_TRUE(server.contains(before.authorities))
      << "tokens with the fingerprint of the old root remain valid";
  EXPECT_TRUE(server.contains(new_root));
  ASSERT_TRUE(Advance(true, By()).has_value());
  const auto last = IssueTo("last");
  EXPECT_TRUE(Accepts(new_root, last.chain));
  EXPECT_FALSE(Accepts(before.authorities, last.chain));
  EXPECT_FALSE(fleet_.authorities.Current()->bundle.contains(before.authorities));
  EXPECT_TRUE(pki::CheckKeyPair(new_root, *ReadSecretFile(pki() / "root.key")).has_value());
}

TEST_F(RotationTest, AStepWaitsForNodesUnlessForced) {
  AddNode("eu");
  AddNode("us");
  ASSERT_TRUE(Start("issuing").has_value());
  Ping("eu");
  const auto refused = Advance(false, By());
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.contains("not up to date: us;")) << refused.error().message;
  Ping("us");
  ASSERT_TRUE(Advance(false, By()).has_value());
  const auto status = rotation_.Get();
  for (const auto& node : status->nodes()) EXPECT_FALSE(node.ready()) << "another phase";
  Ping("eu");
  nodes_.Disconnect("us", tickets_["us"]);
  const auto away = Advance(false, By());
  ASSERT_FALSE(away.has_value());
  EXPECT_TRUE(away.error().message.contains("us (disconnected)")) << away.error().message;
  EXPECT_TRUE(Advance(true, By()).has_value());
}

// A client repeats a request after a lost answer, or two administrators send the same one.
TEST_F(RotationTest, ARepeatedRequestTakesNoSecondStep) {
  ASSERT_TRUE(Start("issuing").has_value());
  v1::AdvanceRotationRequest request;
  request.set_force(true);
  request.set_from_phase("trust");
  ASSERT_TRUE(rotation_.Advance(request, By()).has_value());
  const auto again = rotation_.Advance(request, By());
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_EQ(rotation_.Get()->phase(), "certificates");
}

TEST_F(RotationTest, HoldersOfANewCertificateKeepAccess) {
  IssueTo("anna");
  IssueTo("berta");
  ASSERT_TRUE(Start("issuing").has_value());
  ASSERT_TRUE(Advance(false, By()).has_value());
  EXPECT_EQ(rotation_.Get()->remaining_certificates(), 2u);
  IssueTo("anna");
  EXPECT_EQ(rotation_.Get()->remaining_certificates(), 1u);
  EXPECT_EQ(rotation_.Get()->certificates(0).name(), "berta");
  IssueTo("berta");
  EXPECT_TRUE(Advance(false, By()).has_value());
}

// A certificate of a CA that the old root signed, but that is not the fleet's.
TEST_F(RotationTest, I6OnlyIssuersOfTheFleetAreAccepted) {
  const pki::KeyPair root(*ReadWholeFile(pki() / "root.crt"), *ReadSecretFile(pki() / "root.key"));
  pki::Authority forged = files_.authority;
  forged.issuing.private_key = pki::CreatePrivateKey();
  forged.issuing.certificate =
      *pki::IssueIssuingCa(root, *pki::CreateRequest(forged.issuing.private_key), "outport");
  const auto call = [&](const pki::Authority& authority) {
    const auto stub = v1::Admin::NewStub(
        rpc::Dial(address_, IdentityFrom(authority, Role::kAdmin, "admin"), true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetStatusResponse response;
    return stub->GetStatus(&context, {}, &response).error_code();
  };
  EXPECT_EQ(call(files_.authority), grpc::OK);
  EXPECT_EQ(call(forged), grpc::UNAUTHENTICATED);
}

TEST_F(RotationTest, EveryPhaseButTheLastCanBeUndone) {
  const auto before = IssueTo("before");
  for (const char* kind : {"issuing", "root"}) {
    SCOPED_TRACE(kind);
    ASSERT_TRUE(Start(kind).has_value());
    EXPECT_FALSE(Start(kind).has_value()) << "one rotation at a time";
    ASSERT_TRUE(Undo(false, By()).has_value());
    EXPECT_EQ(rotation_.Get()->kind(), "");

    ASSERT_TRUE(Start(kind).has_value());
    ASSERT_TRUE(Advance(false, By()).has_value());
    const auto next = IssueTo("next");
    EXPECT_EQ(Undo(false, By())->phase(), "trust");
    EXPECT_EQ(IssuerOf(IssueTo("again")), IssuerOf(before));
    const auto refused = Undo(false, By());
    ASSERT_FALSE(refused.has_value()) << "certificates of the next CA would be revoked";
    ASSERT_TRUE(Undo(true, By()).has_value());
    EXPECT_TRUE(IsRevoked(next));
    EXPECT_FALSE(IsRevoked(before));
    EXPECT_EQ(*ReadWholeFile(pki() / "trusted.crt"), fleet_.authorities.Current()->bundle);
  }
}

TEST_F(RotationTest, ContinuesAfterTheStoreWasKilled) {
  for (const char* kind : {"issuing", "root"}) {
    SCOPED_TRACE(kind);
    ASSERT_TRUE(Start(kind).has_value());
    const std::string trusted = fleet_.authorities.Current()->bundle;
    // A crash before the files of the fleet port were written.
    ASSERT_TRUE(ReplaceFile(pki() / "trusted.crt", "old", 0644));
    Restart();
    EXPECT_EQ(fleet_.authorities.Current()->bundle, trusted);
    EXPECT_EQ(*ReadWholeFile(pki() / "trusted.crt"), trusted);
    ASSERT_TRUE(Advance(false, By()).has_value());
    const std::string issuer = IssuerOf(IssueTo("next"));
    Restart();
    EXPECT_EQ(IssuerOf(IssueTo("next-again")), issuer);
    EXPECT_EQ(rotation_.Get()->phase(), "certificates");

    // A crash after the commit of the last step, between the moves of its files.
    auto row = **ReadRow<v1::RotationRow>(*meta_, keys::kRotation);
    row.set_phase(kRetirePhase);
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(WriteRow(*transaction, keys::kRotation, row));
    ASSERT_TRUE(transaction->Commit());
    ASSERT_TRUE(
        ReplaceFile(pki() / "issuing.key", *ReadSecretFile(pki() / "next/issuing.key"), 0600));
    EXPECT_FALSE(LoadAuthorityFiles(pki(), "outport").has_value()) << "half of it";
    EXPECT_FALSE(Undo(true, By()).has_value()) << "the last step cannot be undone";
    ASSERT_TRUE(Advance(false, By()).has_value()) << "the restart completes it";
    Restart();
    EXPECT_EQ(IssuerOf(IssueTo("after")), issuer);
    EXPECT_EQ(rotation_.Get()->kind(), "");
    EXPECT_FALSE(std::filesystem::exists(pki() / "next"));
  }
}

// The type remains until a request names another one.
TEST_F(RotationTest, TheNextKeysHaveTheRequestedType) {
  const auto type_of = [&](const char* file) {
    return pki::Describe(*ReadWholeFile(pki() / file))->key;
  };
  v1::StartRotationRequest request;
  request.set_kind("root");
  request.set_key_type("rsa-2000");
  EXPECT_EQ(rotation_.Start(request, kAdmin).error().code, ErrorCode::kInvalidArgument);
  request.set_key_type("rsa-2048");
  for (const char* type : {"rsa-2048", ""}) {
    request.set_key_type(type);
    const auto started = rotation_.Start(request, kAdmin);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(Advance(false, By()).has_value());
    const auto issued = IssueTo("client");
    ASSERT_TRUE(Advance(true, By()).has_value());
    EXPECT_TRUE(Accepts(issued.authorities, issued.chain));
    EXPECT_EQ(type_of("root.crt"), "RSA 2048");
    EXPECT_EQ(type_of("issuing.crt"), "RSA 2048");
  }
  request.set_kind("issuing");
  request.set_key_type("ecdsa-p384");
  ASSERT_TRUE(rotation_.Start(request, kAdmin).has_value());
  ASSERT_TRUE(Advance(false, By()).has_value());
  ASSERT_TRUE(Advance(true, By()).has_value());
  EXPECT_EQ(type_of("root.crt"), "RSA 2048");
  EXPECT_EQ(type_of("issuing.crt"), "ECDSA P-384");
}

// As outportctl does with --root-key: the store signs nothing.
TEST_F(RotationTest, TheRootKeyMayBeElsewhere) {
  const pki::KeyPair root{*ReadWholeFile(pki() / "root.crt"), *ReadSecretFile(pki() / "root.key")};
  std::filesystem::remove(pki() / "root.key");
  const auto refused = Start("issuing");
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().message.contains("--root-key")) << refused.error().message;

  v1::StartRotationRequest request;
  request.set_kind("root");
  const auto prepared = rotation_.Prepare({});
  EXPECT_FALSE(prepared->root_key_at_store());
  const auto next = *pki::CreateRoot("outport");
  request.set_root_certificate(next.certificate);
  request.set_issuing_certificate(*pki::IssueIssuingCa(next, prepared->request(), "outport"));
  request.set_cross_certificate(request.issuing_certificate());
  EXPECT_EQ(rotation_.Start(request, kAdmin).error().code, ErrorCode::kInvalidArgument)
      << "the old root did not sign it";
  request.set_cross_certificate(*pki::IssueIssuingCa(root, prepared->request(), "outport"));
  const std::string other = *pki::CreateRequest(pki::CreatePrivateKey());
  v1::StartRotationRequest foreign = request;
  foreign.set_issuing_certificate(*pki::IssueIssuingCa(next, other, "outport"));
  EXPECT_EQ(rotation_.Start(foreign, kAdmin).error().code, ErrorCode::kInvalidArgument)
      << "not for the key that the store made";
  const auto started = rotation_.Start(request, kAdmin);
  ASSERT_TRUE(started.has_value()) << started.error().message;
  ASSERT_TRUE(Advance(false, By()).has_value());
  ASSERT_TRUE(Advance(true, By()).has_value());
  EXPECT_EQ(*ReadWholeFile(pki() / "root.crt"), next.certificate);
  EXPECT_FALSE(std::filesystem::exists(pki() / "root.key"));
}

TEST_F(RotationTest, TheServerCertificateIsRenewedAfterAThirdOfItsLifetime) {
  const std::string first = *ReadWholeFile(pki() / "server.crt");
  ASSERT_TRUE(rotation_.RenewServerCertificate().has_value());
  EXPECT_EQ(*ReadWholeFile(pki() / "server.crt"), first);
  clock_.Advance(std::chrono::days(120));
  ASSERT_TRUE(rotation_.RenewServerCertificate().has_value());
  EXPECT_EQ(*ReadWholeFile(pki() / "server.crt"), first);
  clock_.Advance(std::chrono::days(3));
  ASSERT_TRUE(rotation_.RenewServerCertificate().has_value());
  const std::string second = *ReadWholeFile(pki() / "server.crt");
  EXPECT_NE(second, first);
  EXPECT_EQ(*pki::HostNames(second), (std::vector<std::string>{"localhost", "127.0.0.1"}));
}

TEST_F(RotationTest, AMissingServerKeyIsReplaced) {
  const std::string stolen = *ReadSecretFile(pki() / "server.key");
  ASSERT_TRUE(ReplaceMissingServerKey(pki(), *fleet_.authorities.Current()).has_value());
  EXPECT_EQ(*ReadSecretFile(pki() / "server.key"), stolen) << "it is there";
  std::filesystem::remove(pki() / "server.key");
  ASSERT_TRUE(ReplaceMissingServerKey(pki(), *fleet_.authorities.Current()).has_value());
  const std::string key = *ReadSecretFile(pki() / "server.key");
  EXPECT_NE(key, stolen);
  const std::string chain = *ReadWholeFile(pki() / "server.crt");
  EXPECT_TRUE(pki::CheckKeyPair(chain, key).has_value());
  EXPECT_TRUE(pki::CheckHost(chain, "localhost").has_value());
}

TEST_F(RotationTest, I6OnlyAdministratorsRotate) {
  const auto stub =
      v1::Authorities::NewStub(rpc::Dial(address_, IdentityOf(Role::kNode, "eu"), true));
  const auto refused = [&](auto method, auto request, auto response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return (stub.get()->*method)(&context, request, &response).error_code();
  };
  using Stub = v1::Authorities::Stub;
  const auto kDenied = grpc::PERMISSION_DENIED;
  EXPECT_EQ(refused(&Stub::GetRotation, v1::GetRotationRequest(), v1::Rotation()), kDenied);
  EXPECT_EQ(
      refused(&Stub::PrepareRotation, v1::PrepareRotationRequest(), v1::PrepareRotationResponse()),
      kDenied);
  EXPECT_EQ(refused(&Stub::StartRotation, v1::StartRotationRequest(), v1::Rotation()), kDenied);
  EXPECT_EQ(refused(&Stub::AdvanceRotation, v1::AdvanceRotationRequest(), v1::Rotation()), kDenied);
  EXPECT_EQ(refused(&Stub::UndoRotation, v1::UndoRotationRequest(), v1::Rotation()), kDenied);
}

}  // namespace
}  // namespace outport::store
