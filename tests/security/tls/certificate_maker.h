#pragma once

#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <string>
#include <vector>

#include "registry/security/pki/openssl.h"

namespace outport {

// Makes valid and invalid certificates and revocation lists of a foreign authority, with OpenSSL
// alone. A failure aborts the test with a null pointer.
struct Made {
  openssl::CertificatePtr certificate;
  openssl::KeyPtr key;
  std::string pem() const { return openssl::ToPem(certificate.get()); }
};

struct Wanted {
  std::string common_name;
  const char* key = "P-256";         // a curve, or a number of RSA bits
  const char* usage = "clientAuth";  // nullptr: no extended key usage
  const char* names = nullptr;       // "URI:spiffe://outport/client/desktop"
  bool authority = false;
  std::chrono::seconds from{-3600};  // from now
  std::chrono::seconds until{3600};
  const char* issuer_key = "keyid";  // the authority key identifier; nullptr: none
};

inline openssl::KeyPtr MakeKey(const std::string& kind) {
  const bool rsa = kind.front() >= '0' && kind.front() <= '9';
  if (kind == "ED25519") return openssl::KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return openssl::KeyPtr(rsa ? EVP_RSA_gen(std::stoul(kind)) : EVP_EC_gen(kind.c_str()));
}

// Signed by `issuer`; self-signed if it is null.
inline Made Make(const Wanted& wanted, const Made* issuer = nullptr) {
  static long serial = 1000;
  Made made{openssl::CertificatePtr(X509_new()), MakeKey(wanted.key)};
  X509* leaf = made.certificate.get();
  X509_set_version(leaf, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(leaf), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(leaf), wanted.from.count());
  X509_gmtime_adj(X509_getm_notAfter(leaf), wanted.until.count());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(wanted.common_name.c_str()), -1,
                             -1, 0);
  X509_set_pubkey(leaf, made.key.get());
  X509* signer = issuer == nullptr ? leaf : issuer->certificate.get();
  X509_set_issuer_name(leaf, X509_get_subject_name(signer));
  X509V3_CTX context;
  X509V3_set_ctx(&context, signer, leaf, nullptr, nullptr, 0);
  const auto add = [&](int kind, const char* value) {
    if (value == nullptr) return;
    const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    X509_add_ext(leaf, extension.get(), -1);
  };
  add(NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (wanted.authority) add(NID_key_usage, "critical,keyCertSign,cRLSign");
  add(NID_subject_key_identifier, "hash");
  add(NID_authority_key_identifier, wanted.issuer_key);
  if (!wanted.authority) add(NID_ext_key_usage, wanted.usage);
  add(NID_subject_alt_name, wanted.names);
  EVP_PKEY* signing = issuer == nullptr ? made.key.get() : issuer->key.get();
  X509_sign(leaf, signing, EVP_PKEY_is_a(signing, "ED25519") == 1 ? nullptr : EVP_sha256());
  return made;
}

struct ListOptions {
  std::chrono::seconds from{-7200};  // from now
  std::chrono::seconds due{3600};    // from now
  long number = -1;                  // the CRL number; negative: none
  long base = -1;                    // the full list's number; negative: this is a full list
};

// A revocation list of `issuer` (PEM).
inline std::string MakeList(const Made& issuer, const std::vector<const Made*>& revoked,
                            const ListOptions& options) {
  const openssl::ListPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.certificate.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, options.from.count());
  X509_CRL_set1_lastUpdate(list.get(), time);
  X509_gmtime_adj(time, options.due.count());
  X509_CRL_set1_nextUpdate(list.get(), time);
  X509_gmtime_adj(time, options.from.count());
  for (const Made* one : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list.get(), entry);
  }
  ASN1_TIME_free(time);
  const auto add = [&list](int kind, long value, int critical) {
    if (value < 0) return;
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set(number, value);
    X509_CRL_add1_ext_i2d(list.get(), kind, number, critical, 0);
    ASN1_INTEGER_free(number);
  };
  add(NID_crl_number, options.number, 0);
  add(NID_delta_crl, options.base, 1);
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer.certificate.get(), nullptr, nullptr, list.get(), 0);
  const openssl::ExtensionPtr key(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  X509_CRL_add_ext(list.get(), key.get(), -1);
  X509_CRL_sort(list.get());
  X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256());
  const openssl::BioPtr text = openssl::Writer();
  PEM_write_bio_X509_CRL(text.get(), list.get());
  return openssl::Written(text.get());
}

// A revocation list of `issuer` (PEM) that expires `due` from now.
inline std::string MakeList(const Made& issuer, const std::vector<const Made*>& revoked,
                            std::chrono::seconds due = std::chrono::hours(1)) {
  return MakeList(issuer, revoked, ListOptions{.due = due});
}

}  // namespace outport
