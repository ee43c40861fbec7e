#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "registry/base/settings.h"
#include "registry/security/tls/served_certificate.h"

namespace outport {

// The keys of the section `registry` that store.yml and node.yml share.
struct RegistryConfig {
  std::string listen = "0.0.0.0:5000";
  std::filesystem::path certificate;  // with `key`; empty: the fleet's, in DATA/pki
  std::filesystem::path key;
  std::string http_listen;             // plain HTTP; empty: none
  std::filesystem::path acme_webroot;  // empty: answers no ACME challenges
  int64_t redirect_port = 0;           // 0: the port of `listen`

  ClientAuth client_auth = ClientAuth::kRequire;
  std::filesystem::path client_ca;   // CAs besides the fleet's; empty: none
  std::filesystem::path client_crl;  // empty: none

  // Returns the paths of the server certificate, its key and the trust bundles. `fleet` names the
  // fleet's trust bundle in the folder `pki`.
  CertificateFiles Files(const std::filesystem::path& pki, const char* fleet) const;
  // Reads these files. The error names the file. Blocks.
  Result<LoadedCertificate> Load(const CertificateFiles& files) const;
};

// Settings::Finish() reports the problems.
RegistryConfig ReadRegistryConfig(Settings& section);

}  // namespace outport
