#include <gtest/gtest.h>
#include <openssl/pkcs12.h>

#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport {
namespace {

using std::chrono::hours;

const pki::Authority& TestAuthority() {
  static const pki::Authority kAuthority = *pki::CreateAuthority("outport");
  return kAuthority;
}

std::string ChainFor(const std::string& key) {
  const auto leaf =
      pki::Issue(TestAuthority(), *pki::CreateRequest(key), {.name = "anna", .lifetime = hours(1)});
  return leaf->certificate + TestAuthority().issuing.certificate;
}

TEST(PkiFiles, KeysOfEveryTypeAreIssuedTo) {
  const std::pair<const char*, const char*> kCases[] = {{"ecdsa-p256", "ECDSA P-256"},
                                                        {"ecdsa-p384", "ECDSA P-384"},
                                                        {"rsa-2048", "RSA 2048"},
                                                        {"rsa-4096", "RSA 4096"}};
  for (const auto& [type, described] : kCases) {
    SCOPED_TRACE(type);
    const std::string key = pki::CreatePrivateKey(*pki::ParseKeyType(type));
    const auto description = pki::Describe(ChainFor(key));
    ASSERT_TRUE(description.has_value()) << description.error().message;
    EXPECT_EQ(description->key, described);
  }
  EXPECT_TRUE(
      pki::ParseKeyType("rsa-1024").error().message.contains("'rsa-1024' is not a key type"));
}

TEST(PkiFiles, DescribesACertificate) {
  const auto root = pki::Describe(TestAuthority().root.certificate);
  const auto issuing = pki::Describe(TestAuthority().issuing.certificate);
  ASSERT_TRUE(root.has_value() && issuing.has_value());
  EXPECT_TRUE(root->subject.starts_with("CN=outport root CA ")) << root->subject;
  EXPECT_EQ(root->subject.size(), std::string("CN=outport root CA ").size() + 8);
  EXPECT_EQ(root->fingerprint, *pki::Fingerprint(TestAuthority().root.certificate));
  const std::string leaf = ChainFor(pki::CreatePrivateKey());
  EXPECT_EQ(issuing->key_id, pki::Inspect(leaf)->issuer_key_id);
  EXPECT_EQ(pki::Describe(leaf)->not_after, *pki::NotAfter(leaf));
  EXPECT_LT(pki::Describe(leaf)->not_before, std::chrono::system_clock::now());
  EXPECT_FALSE(pki::Describe("nothing").has_value());
}

TEST(PkiFiles, APkcs12FileNeedsItsPassword) {
  const std::string key = pki::CreatePrivateKey();
  const std::string chain = ChainFor(key);
  const auto bytes = pki::ToPkcs12(chain, key, "anna", "opens it");
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const openssl::BioPtr reader = openssl::Reader(*bytes);
  PKCS12* bundle = d2i_PKCS12_bio(reader.get(), nullptr);
  ASSERT_NE(bundle, nullptr);
  EXPECT_EQ(PKCS12_verify_mac(bundle, "something else", -1), 0);
  EVP_PKEY* opened = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  ASSERT_EQ(PKCS12_parse(bundle, "opens it", &opened, &certificate, &others), 1);
  EXPECT_EQ(openssl::ToPem(opened), key);
  EXPECT_EQ(openssl::ToPem(certificate) + openssl::ToPem(sk_X509_value(others, 0)), chain);
  EVP_PKEY_free(opened);
  X509_free(certificate);
  sk_X509_pop_free(others, X509_free);
  PKCS12_free(bundle);
  ERR_clear_error();
  EXPECT_FALSE(pki::ToPkcs12(chain, pki::CreatePrivateKey(), "anna", "x").has_value());
}

}  // namespace
}  // namespace outport
