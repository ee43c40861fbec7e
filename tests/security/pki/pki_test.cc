#include "registry/security/pki/pki.h"

#include <gtest/gtest.h>
#include <openssl/rsa.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>

#include "registry/security/pki/openssl.h"

namespace outport {
namespace {

using std::chrono::hours;
using std::chrono::system_clock;

const pki::Authority& TestAuthority() {
  static const pki::Authority kAuthority = *pki::CreateAuthority("outport");
  return kAuthority;
}

std::string RequestOf(const std::string& key) { return *pki::CreateRequest(key); }

TEST(Pki, LeafNamesItsHolderAndItsIssuer) {
  const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey()),
                               {.role = Role::kNode, .name = "eu-west", .lifetime = hours(1)});
  ASSERT_TRUE(leaf.has_value()) << leaf.error().message;
  const auto identity = pki::Inspect(leaf->certificate);
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->domain, "outport");
  EXPECT_EQ(identity->role, Role::kNode);
  EXPECT_EQ(identity->name, "eu-west");
  EXPECT_EQ(identity->serial, leaf->serial);
  EXPECT_EQ(identity->issuer_key_id, leaf->issuer_key_id);
  EXPECT_GE(leaf->serial.size(), 28u);
  EXPECT_EQ(leaf->issuer_key_id.size(), 40u);
  EXPECT_EQ(*pki::NotAfter(leaf->certificate), leaf->not_after);
}

TEST(Pki, LeafIsValidAtAClockThatIsBehind) {
  const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey()),
                               {.name = "a", .lifetime = hours(1)});
  const auto certificates = *openssl::ReadCertificates(leaf->certificate);
  time_t four_minutes_ago = system_clock::to_time_t(system_clock::now()) - 240;
  EXPECT_LT(X509_cmp_time(X509_get0_notBefore(certificates.front().get()), &four_minutes_ago), 0);
}

TEST(Pki, LeafNeverOutlivesItsIssuer) {
  const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey()),
                               {.name = "a", .lifetime = hours(24 * 365 * 50)});
  ASSERT_TRUE(leaf.has_value());
  EXPECT_LE(leaf->not_after, *pki::NotAfter(TestAuthority().issuing.certificate));
}

TEST(Pki, ServerCertificateCarriesHostsAndAddresses) {
  const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey()),
                               {.role = Role::kStore,
                                .name = "store",
                                .host_names = {"store.example.com", "10.0.0.1", "::1"},
                                .server = true,
                                .client = false,
                                .lifetime = hours(1)});
  ASSERT_TRUE(leaf.has_value()) << leaf.error().message;
  const auto certificates = *openssl::ReadCertificates(leaf->certificate);
  X509* certificate = certificates.front().get();
  EXPECT_EQ(X509_check_host(certificate, "store.example.com", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(certificate, "other.example.com", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(certificate, "10.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate, "::1", 0), 1);
  EXPECT_EQ(X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0), 1);
  EXPECT_EQ(X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0), 0);
}

TEST(Pki, ChainVerifiesInStrictMode) {
  const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey()),
                               {.name = "a", .lifetime = hours(1)});
  const auto certificates = *openssl::ReadCertificates(
      leaf->certificate + TestAuthority().issuing.certificate + TestAuthority().root.certificate);
  const std::unique_ptr<X509_STORE, openssl::Deleter<X509_STORE_free>> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), certificates[2].get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_X509_STRICT);
  STACK_OF(X509)* untrusted = sk_X509_new_null();
  sk_X509_push(untrusted, certificates[1].get());
  const std::unique_ptr<X509_STORE_CTX, openssl::Deleter<X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), certificates[0].get(), untrusted);
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT);
  EXPECT_EQ(X509_verify_cert(context.get()), 1)
      << X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  sk_X509_free(untrusted);
}

// Counts how often OpenSSL wants to ask for a passphrase on the terminal.
int prompts = 0;
int CountPrompt(UI*) {
  ++prompts;
  return 0;
}

TEST(Pki, AnEncryptedRequestAsksForNoPassphrase) {
  std::string request = RequestOf(pki::CreatePrivateKey());
  request.insert(request.find('\n') + 1,
                 "Proc-Type: 4,ENCRYPTED\n"
                 "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n");
  const std::unique_ptr<UI_METHOD, openssl::Deleter<UI_destroy_method>> terminal(
      UI_create_method("a terminal that counts"));
  UI_method_set_opener(terminal.get(), CountPrompt);
  const UI_METHOD* const before = UI_get_default_method();
  UI_set_default_method(terminal.get());
  const auto leaf =
      pki::Issue(TestAuthority(), request, {.name = "a", .lifetime = std::chrono::hours(1)});
  UI_set_default_method(before);
  ASSERT_FALSE(leaf.has_value());
  EXPECT_EQ(leaf.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(prompts, 0);
}

TEST(Pki, RejectsInvalidRequests) {
  const std::string good = RequestOf(pki::CreatePrivateKey());
  const openssl::KeyPtr weak(EVP_RSA_gen(1024));
  const openssl::KeyPtr other_curve(EVP_EC_gen("secp256k1"));
  const openssl::KeyPtr strong(EVP_RSA_gen(2048));
  const pki::LeafOptions options{.name = "a", .lifetime = hours(1)};
  EXPECT_TRUE(pki::Issue(TestAuthority(), good, options).has_value());
  EXPECT_TRUE(
      pki::Issue(TestAuthority(), RequestOf(openssl::ToPem(strong.get())), options).has_value());
  std::string altered = good;
  const size_t middle = altered.size() / 2;
  altered[middle] = altered[middle] == 'A' ? 'B' : 'A';
  for (const std::string& request :
       {RequestOf(openssl::ToPem(weak.get())), RequestOf(openssl::ToPem(other_curve.get())),
        altered, std::string("nonsense"), std::string(), std::string(100000, 'a')}) {
    const auto leaf = pki::Issue(TestAuthority(), request, options);
    ASSERT_FALSE(leaf.has_value());
    EXPECT_EQ(leaf.error().code, ErrorCode::kInvalidArgument) << leaf.error().message;
  }
}

TEST(Pki, RejectsInvalidNames) {
  const std::string request = RequestOf(pki::CreatePrivateKey());
  const auto issue = [&](const std::string& name, const std::vector<std::string>& hosts) {
    const pki::LeafOptions options{
        .name = name, .host_names = hosts, .server = true, .lifetime = hours(1)};
    return pki::Issue(TestAuthority(), request, options).has_value();
  };
  EXPECT_TRUE(issue("a", {"*.example.com", "localhost"}));
  EXPECT_FALSE(issue("A", {}));
  EXPECT_FALSE(issue("", {}));
  for (const char* host : {"", "a b", "http://a", "a..b", "-a", "a:5000", "*", "a.*.b", "a/b"}) {
    EXPECT_FALSE(issue("a", {host})) << host;
  }
  EXPECT_FALSE(pki::CreateAuthority("not a domain").has_value());
}

TEST(Pki, AReplacementKeepsTheKeyType) {
  using pki::KeyType;
  for (const KeyType type :
       {KeyType::kEcdsaP256, KeyType::kEcdsaP384, KeyType::kRsa2048, KeyType::kRsa4096}) {
    const auto leaf = pki::Issue(TestAuthority(), RequestOf(pki::CreatePrivateKey(type)),
                                 {.name = "a", .lifetime = hours(1)});
    ASSERT_TRUE(leaf.has_value()) << leaf.error().message;
    EXPECT_EQ(*pki::KeyTypeOf(leaf->certificate), type);
    EXPECT_EQ(*pki::ReplacementKeyType("", leaf->certificate), type);
    EXPECT_EQ(*pki::ReplacementKeyType("rsa-4096", leaf->certificate), KeyType::kRsa4096);
  }
  EXPECT_FALSE(pki::ReplacementKeyType("dsa", TestAuthority().root.certificate).has_value());
  EXPECT_FALSE(pki::ReplacementKeyType("", "nonsense").has_value());
}

TEST(Pki, ChecksHostNames) {
  EXPECT_TRUE(pki::CheckHostNames({"registry.example.com", "10.0.0.1"}).has_value());
  const auto result = pki::CheckHostNames({"registry.example.com", "a b"});
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("'a b'"), std::string::npos);
}

TEST(Pki, KeyFingerprintDependsOnTheKeyAlone) {
  const std::string key = pki::CreatePrivateKey();
  const std::string first = RequestOf(key);
  const std::string second = RequestOf(key);
  EXPECT_NE(first, second) << "ECDSA signatures differ";
  EXPECT_EQ(*pki::KeyFingerprint(first), *pki::KeyFingerprint(second));
  EXPECT_NE(*pki::KeyFingerprint(first), *pki::KeyFingerprint(RequestOf(pki::CreatePrivateKey())));
  EXPECT_FALSE(pki::KeyFingerprint("nonsense").has_value());
}

TEST(Pki, AKeyFitsOnlyItsCertificate) {
  const auto& authority = TestAuthority();
  EXPECT_TRUE(
      pki::CheckKeyPair(authority.root.certificate, authority.root.private_key).has_value());
  EXPECT_FALSE(
      pki::CheckKeyPair(authority.root.certificate, authority.issuing.private_key).has_value());
  EXPECT_FALSE(pki::CheckKeyPair("nonsense", authority.root.private_key).has_value());
  EXPECT_FALSE(pki::CheckKeyPair(authority.root.certificate, "nonsense").has_value());
}

TEST(Pki, FingerprintIsOfTheFirstCertificate) {
  const auto& authority = TestAuthority();
  const auto both = pki::Fingerprint(authority.root.certificate + authority.issuing.certificate);
  EXPECT_EQ(*both, *pki::Fingerprint(authority.root.certificate));
  EXPECT_NE(*both, *pki::Fingerprint(authority.issuing.certificate));
  EXPECT_EQ(both->size(), 64u);
  EXPECT_FALSE(pki::Fingerprint("nonsense").has_value());
}

}  // namespace
}  // namespace outport
