#include "registry/security/pki/pem.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport {
namespace {

using pem::Kind;

// The body is the text "certificate", which is not one. Split() does not look at it.
constexpr char kOne[] =
    "-----BEGIN CERTIFICATE-----\nY2VydGlm\naWNhdGU=\n-----END CERTIFICATE-----\n";
constexpr char kList[] = "-----BEGIN X509 CRL-----\nbGlzdA==\n-----END X509 CRL-----\n";
constexpr char kKey[] =
    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    "-----BEGIN EC PRIVATE KEY-----\na2V5\n-----END EC PRIVATE KEY-----\n";

std::string Indented(const std::string& text) {
  std::string all = "  ";
  for (const char c : text) all += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return all;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string WhyNot(const std::string& text, Kind kind = Kind::kCertificate) {
  const auto blocks = pem::Split(text, kind);
  return blocks.has_value() ? "" : blocks.error().message;
}

size_t CountOf(const std::string& text, Kind kind = Kind::kCertificate) {
  const auto blocks = pem::Split(text, kind);
  EXPECT_TRUE(blocks.has_value()) << blocks.error().message;
  return blocks.has_value() ? blocks->size() : 0;
}

TEST(Pem, ReadsEveryBlock) {
  const std::string one = kOne;
  const auto blocks = pem::Split("# two\n" + one + one, Kind::kCertificate);
  ASSERT_TRUE(blocks.has_value()) << blocks.error().message;
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[1].number, 2U);
  EXPECT_EQ((*blocks)[1].line, 6U);
  EXPECT_EQ((*blocks)[1].text, one);
  EXPECT_EQ((*blocks)[1].der, "certificate");
}

TEST(Pem, AcceptsWhatOpensslWrites) {
  const std::string one = kOne;
  const std::string text = "Certificate:\n    Data:\n        Version: 3 (0x2)\n";
  EXPECT_EQ(CountOf(text + one + "\n" + text + one), 2U);
  EXPECT_EQ(CountOf("---\nCertificate chain\n 0 s:CN = a\n   i:CN = b\n" + one + "---\n"), 1U);
  EXPECT_EQ(CountOf("Bag Attributes: <No Attributes>\nsubject=CN = front-end server\n" + one), 1U);
  EXPECT_EQ(CountOf(Replaced(one, "\n", "\r\n")), 1U);
  EXPECT_EQ(CountOf(Replaced(one, "\n", " \t\n")), 1U) << "spaces at the end of lines";
  EXPECT_EQ(CountOf(one.substr(0, one.size() - 1)), 1U) << "no line feed at the end";
  EXPECT_EQ(CountOf(kKey, Kind::kPrivateKey), 1U);
  EXPECT_EQ(CountOf(kKey + one, Kind::kPrivateKey), 1U) << "both in one file";
  EXPECT_EQ(CountOf(kKey + one, Kind::kCertificate), 1U);
}

TEST(Pem, AcceptsFilesThatPeopleWrite) {
  const std::string one = kOne;
  EXPECT_EQ(CountOf(one + kList + one, Kind::kCertificate), 2U) << "authorities and their lists";
  EXPECT_EQ(CountOf(one + kList + one, Kind::kRevocationList), 1U);
  EXPECT_EQ(CountOf("# -----BEGIN CERTIFICATE----- was here\n#----- root -----\n" + one), 1U);
  const std::string rule(70, '-');
  EXPECT_EQ(CountOf(rule + "\n" + one + rule + "\n" + one), 2U);
  EXPECT_EQ(CountOf("----- root -----\n" + one), 1U);
  EXPECT_EQ(CountOf(Replaced(one, "\nY", "\n\nY")), 1U) << "an empty line after BEGIN";
  EXPECT_FALSE(WhyNot(Replaced(one, "\nY", "\n\n\nY")).empty()) << "OpenSSL reads only one";
  EXPECT_FALSE(WhyNot(one + Replaced(one, "-----BEGIN", "----- BEGIN")).empty());
  EXPECT_EQ(CountOf(Replaced(kKey, "EC PARAM", "X9.42 DH PARAM"), Kind::kPrivateKey), 1U);
  const std::string trusted = Replaced(one, "CERTIFICATE", "TRUSTED CERTIFICATE");
  EXPECT_TRUE(WhyNot(one + trusted).ends_with("openssl x509 -in FILE -out FILE"));
}

TEST(Pem, I6SkipsNoBlock) {
  const std::string one = kOne;
  const std::pair<std::string, const char*> kRows[] = {
      {"", "there is no certificate in the PEM text"},
      {"hello\n", "there is no certificate in the PEM text"},
      {kKey, "there is no certificate in the PEM text"},
      {Indented(one) + "\n" + one, "line 1: a BEGIN or END line"},
      {one + Indented(one), "line 5: a BEGIN or END line"},
      {"\xEF\xBB\xBF" + one, "line 1: a BEGIN or END line"},
      {one + Replaced(one, "-----B", "----B"), "line 5: a BEGIN or END line"},
      {one + Replaced(one, "BEGIN", "begin"), "line 5: the BEGIN line is not valid"},
      {one + Replaced(one, "CERTIFICATE-----\nY", "CERTIFICATE----\nY"),
       "line 5: the BEGIN line is not valid"},
      {one + Replaced(one, "CERTIFICATE", "CERTIFICATES"),
       "block 2 at line 5: the label 'CERTIFICATES' is not that of a certificate"},
      {one + Replaced(one, "END CERTIFICATE", "END X509 CRL"),
       "block 2 at line 5: its END line at line 8 has another label, 'X509 CRL'"},
      {one.substr(28) + one, "line 3: the END line has no BEGIN line before it"},
      {one.substr(0, 45) + "\n" + one, "block 1 at line 1: it has no END line before line 4"},
      {one + one.substr(0, 45), "block 2 at line 5: it is truncated: it has no END line"},
      {one + one.substr(0, 60), "block 2 at line 5: it has no END line before line 8"},
      {one + one.substr(0, 20), "line 5: the BEGIN line is not valid"},
      {one + one.substr(0, 3), "line 5: a BEGIN line is truncated"},
      {one + Replaced(one, "Y2Vy", " Y2Vy"), "block 2 at line 5: its body is not valid base64"},
      {one + Replaced(one, "Y2Vy", "Y2V"), "block 2 at line 5: its body is not valid base64"},
      {one + Replaced(one, "Y2VydGlm\naWNhdGU=\n", ""), "its body is not valid base64"},
      {one + Replaced(one, "aWNh", "\naWNh"), "block 2 at line 5: line 7 is empty"},
  };
  for (const auto& [text, reason] : kRows) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(WhyNot(text).starts_with(reason) || WhyNot(text).ends_with(reason)) << WhyNot(text);
  }
  EXPECT_TRUE(WhyNot(kList + std::string(kKey), Kind::kRevocationList)
                  .contains("not that of a revocation list"));
}

TEST(Pem, ErrorsNameTheBlockThatOpensslCannotRead) {
  const std::string good = pki::CreateRoot("outport")->certificate;
  const auto certificates = openssl::ReadCertificates(good + kOne);
  ASSERT_FALSE(certificates.has_value());
  EXPECT_TRUE(certificates.error().message.starts_with("block 2 at line "));
  EXPECT_TRUE(certificates.error().message.ends_with(": it is not a valid certificate"));
  const auto lists = openssl::ReadRevocationLists(kList);
  ASSERT_FALSE(lists.has_value());
  EXPECT_EQ(lists.error().message, "block 1 at line 1: it is not a valid revocation list");
  EXPECT_EQ(openssl::ReadCertificates(good + good)->size(), 2U);
}

TEST(Pem, AnEncryptedKeyIsAnError) {
  const openssl::KeyPtr key = *openssl::ReadPrivateKey(pki::CreatePrivateKey());
  const openssl::BioPtr old_form = openssl::Writer();
  const auto* secret = reinterpret_cast<const unsigned char*>("secret");
  ASSERT_EQ(PEM_write_bio_PrivateKey_traditional(old_form.get(), key.get(), EVP_aes_128_cbc(),
                                                 secret, 6, nullptr, nullptr),
            1);
  const openssl::BioPtr new_form = openssl::Writer();
  ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(new_form.get(), key.get(), EVP_aes_256_cbc(), "secret", 6,
                                          nullptr, nullptr),
            1);
  for (BIO* text : {old_form.get(), new_form.get()}) {
    const auto read = openssl::ReadPrivateKey(openssl::Written(text));
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().message,
              "block 1 at line 1: the private key cannot be read; use a PEM file without a "
              "passphrase");
  }
}

}  // namespace
}  // namespace outport
