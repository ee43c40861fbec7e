#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "registry/rpc/channel.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport {

// A private CA and the certificates that it issues.
class TestAuthority {
 public:
  rpc::TlsIdentity Issue(Role role, const std::string& name,
                         std::chrono::seconds lifetime = std::chrono::hours(1),
                         const std::string& domain = "outport") const {
    return Issue({.role = role,
                  .name = name,
                  .host_names = {"127.0.0.1"},
                  .server = role == Role::kStore,
                  .client = true,
                  .lifetime = lifetime},
                 domain);
  }
  // A new certificate for the key of `identity`.
  rpc::TlsIdentity Renew(Role role, const std::string& name,
                         const rpc::TlsIdentity& identity) const {
    return Issue({.role = role,
                  .name = name,
                  .host_names = {"127.0.0.1"},
                  .server = role == Role::kStore,
                  .client = true,
                  .lifetime = std::chrono::hours(1)},
                 "outport", identity.private_key);
  }
  // A certificate for a TLS server of this host, with any role and domain.
  rpc::TlsIdentity IssueServer(Role role, const std::string& name,
                               const std::string& host = "127.0.0.1",
                               const std::string& domain = "outport") const {
    return Issue({.role = role,
                  .name = name,
                  .host_names = {host},
                  .server = true,
                  .client = false,
                  .lifetime = std::chrono::hours(1)},
                 domain);
  }
  // As Issue(), valid between two given times, which pki::Issue() does not allow.
  rpc::TlsIdentity IssueBetween(Role role, const std::string& name,
                                std::chrono::system_clock::time_point from,
                                std::chrono::system_clock::time_point until) const {
    using std::chrono::system_clock;
    rpc::TlsIdentity identity = Issue(role, name);
    const auto chain = *openssl::ReadCertificates(identity.certificate_chain);
    X509* leaf = chain.front().get();
    ASN1_TIME_set(X509_getm_notBefore(leaf), system_clock::to_time_t(from));
    ASN1_TIME_set(X509_getm_notAfter(leaf), system_clock::to_time_t(until));
    const auto key = *openssl::ReadPrivateKey(authority_.issuing.private_key);
    EXPECT_GT(X509_sign(leaf, key.get(), EVP_sha256()), 0);
    identity.certificate_chain = openssl::ToPem(leaf) + authority_.issuing.certificate;
    return identity;
  }

 private:
  rpc::TlsIdentity Issue(const pki::LeafOptions& options, const std::string& domain,
                         const std::string& key = pki::CreatePrivateKey()) const {
    pki::Authority authority = authority_;
    authority.domain = domain;
    const std::string leaf = pki::Issue(authority, *pki::CreateRequest(key), options)->certificate;
    return {leaf + authority.issuing.certificate, key,
            authority.root.certificate + authority.issuing.certificate};
  }

  const pki::Authority authority_ = *pki::CreateAuthority("outport");
};

}  // namespace outport
