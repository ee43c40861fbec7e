#include "store/admin/enrollment_service.h"

#include <grpcpp/client_context.h>
#include <openssl/x509v3.h>

#include "registry/security/pki/openssl.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

class EnrollmentServiceTest : public FleetServerFixture {
 protected:
  grpc::Status Enroll(const std::string& secret) {
    v1::EnrollRequest request;
    request.set_secret(secret);
    request.set_identity_request(*pki::CreateRequest(identity_key_));
    request.set_server_request(*pki::CreateRequest(server_key_));
    return Enroll(request);
  }
  // Calls without a certificate, as a new machine does.
  grpc::Status Enroll(const v1::EnrollRequest& request) {
    const auto stub = v1::Enrollment::NewStub(rpc::Dial(address_, Nobody()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    response_.Clear();
    return stub->Enroll(&context, request, &response_);
  }
  void ExpectDenied(const grpc::Status& status, const char* why) {
    EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED);
    EXPECT_NE(status.error_message().find(why), std::string::npos) << status.error_message();
    EXPECT_NE(status.error_message().find("outportctl node invite"), std::string::npos)
        << status.error_message();
    EXPECT_TRUE(response_.identity_certificate().empty());
  }
  void NewKeys() {
    identity_key_ = pki::CreatePrivateKey();
    server_key_ = pki::CreatePrivateKey();
  }

  std::string identity_key_ = pki::CreatePrivateKey();
  std::string server_key_ = pki::CreatePrivateKey();
  v1::EnrollResponse response_;
};

TEST_F(EnrollmentServiceTest, ANodeJoinsWithAToken) {
  const auto status = Enroll(Invite("eu").secret);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response_.node(), "eu");
  EXPECT_EQ(response_.domain(), "outport");
  const auto identity = *pki::Inspect(response_.identity_certificate());
  EXPECT_EQ(identity.role, Role::kNode);
  EXPECT_EQ(identity.name, "eu");
  EXPECT_EQ(*pki::Fingerprint(response_.authorities()),
            *pki::Fingerprint(files_.authority.root.certificate));
  ASSERT_EQ(fleet_.members.List("", 10)->rows.size(), 1u);
  EXPECT_EQ(fleet_.members.List("", 10)->rows[0].name(), "eu");
  EXPECT_EQ(fleet_.certificates.List("", 10)->rows.size(), 2u);
}

TEST_F(EnrollmentServiceTest, TheCertificatesAdmitANodeAndNothingElse) {
  ASSERT_TRUE(Enroll(Invite("eu").secret).ok());
  const auto code_of = [&](const std::string& chain, const std::string& key) {
    const rpc::TlsIdentity identity{chain, key, files_.authority.root.certificate};
    const auto stub = v1::Admin::NewStub(rpc::Dial(address_, identity, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::GetStatusResponse status;
    return stub->GetStatus(&context, {}, &status).error_code();
  };
  EXPECT_EQ(code_of(response_.identity_certificate(), identity_key_), grpc::PERMISSION_DENIED);
  // The server certificate is not for dialling: the handshake fails.
  EXPECT_EQ(code_of(response_.server_certificate(), server_key_), grpc::UNAVAILABLE);
}

// A forged request: its subject and its SANs name another node.
std::string RequestOfAnother(const std::string& pem) {
  const auto key = *openssl::ReadPrivateKey(pem);
  const openssl::RequestPtr request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("us"), -1, -1, 0);
  STACK_OF(X509_EXTENSION)* extensions = sk_X509_EXTENSION_new_null();
  sk_X509_EXTENSION_push(extensions,
                         X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name,
                                             "URI:spiffe://outport/node/us,DNS:us.example.com"));
  X509_REQ_add_extensions(request.get(), extensions);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  X509_REQ_sign(request.get(), key.get(), EVP_sha256());
  const openssl::BioPtr text = openssl::Writer();
  PEM_write_bio_X509_REQ(text.get(), request.get());
  return openssl::Written(text.get());
}

TEST_F(EnrollmentServiceTest, I6TheNameComesFromTheInvitationAndNotTheRequest) {
  v1::EnrollRequest request;
  request.set_secret(Invite("eu").secret);
  request.set_identity_request(RequestOfAnother(identity_key_));
  request.set_server_request(RequestOfAnother(server_key_));
  const auto status = Enroll(request);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const std::string& pem :
       {response_.identity_certificate(), response_.server_certificate()}) {
    EXPECT_EQ(pki::Inspect(pem)->name, "eu");
    EXPECT_EQ(pki::Describe(pem)->subject, "CN=eu");
    EXPECT_FALSE(pki::CheckHost(pem, "us.example.com").has_value());
  }
}

TEST_F(EnrollmentServiceTest, TheSameKeysMayRetry) {
  const std::string secret = Invite("eu").secret;
  ASSERT_TRUE(Enroll(secret).ok());
  const auto again = Enroll(secret);
  EXPECT_TRUE(again.ok()) << again.error_message();
  EXPECT_FALSE(response_.identity_certificate().empty());
}

TEST_F(EnrollmentServiceTest, AUsedTokenIsDeniedToOtherKeys) {
  const std::string secret = Invite("eu").secret;
  ASSERT_TRUE(Enroll(secret).ok());
  const std::string first_identity = identity_key_;
  NewKeys();
  ExpectDenied(Enroll(secret), "has been used");
  identity_key_ = first_identity;  // one of the two is not enough
  ExpectDenied(Enroll(secret), "has been used");
}

TEST_F(EnrollmentServiceTest, AWrongTokenIsDenied) {
  Invite("eu");
  for (const std::string& secret : {std::string(), std::string("guess"), std::string(64, '0')}) {
    ExpectDenied(Enroll(secret), "no invitation has this token");
  }
  EXPECT_EQ(Enroll(std::string(1000, '0')).error_code(), grpc::INVALID_ARGUMENT);
}

TEST_F(EnrollmentServiceTest, AnExpiredTokenIsDeniedEvenToTheKeysThatUsedIt) {
  const std::string secret = Invite("eu", std::chrono::seconds(60)).secret;
  ASSERT_TRUE(Enroll(secret).ok());
  clock_.Advance(std::chrono::seconds(61));
  ExpectDenied(Enroll(secret), "has expired");
}

TEST_F(EnrollmentServiceTest, AnInvalidRequestDoesNotUseTheToken) {
  const std::string secret = Invite("eu").secret;
  v1::EnrollRequest request;
  request.set_secret(secret);
  request.set_identity_request("nonsense");
  request.set_server_request("nonsense");
  EXPECT_EQ(Enroll(request).error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_TRUE(Enroll(secret).ok());
}

TEST_F(EnrollmentServiceTest, GuessingIsRateLimited) {
  int limited = 0;
  for (int i = 0; i < 15; ++i) {
    limited += Enroll("guess").error_code() == grpc::RESOURCE_EXHAUSTED ? 1 : 0;
  }
  EXPECT_GE(limited, 4);
  clock_.Advance(std::chrono::minutes(1));
  EXPECT_TRUE(Enroll(Invite("eu").secret).ok());
}

}  // namespace
}  // namespace outport::store
