#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "registry/base/settings.h"
#include "registry/security/tls/served_certificate.h"

namespace outport {

// The section `registry` of store.yml and node.yml, as far as the two are the same.
struct RegistryConfig {
  std::string listen = "0.0.0.0:5000";
  std::filesystem::path certificate;  // both or none: then the fleet's, in DATA/pki
  std::filesystem::path key;
  std::string plain_listen;            // empty: there is no plain port
  std::filesystem::path acme_webroot;  // empty: no challenges are answered
  int64_t redirect_port = 0;           // 0: the port of `listen`

  ClientAuth client_auth = ClientAuth::kRequire;
  std::filesystem::path client_authorities;  // empty: the fleet's alone
  std::filesystem::path client_crls;         // empty: none

  // Where what the registry shows stands, and whom it trusts: those of the file `fleet` in `pki`,
  // and who else is named here.
  CertificateFiles Files(const std::filesystem::path& pki, const char* fleet) const;
  // Both, read. The error names the file. Blocks.
  Result<LoadedCertificate> Load(const CertificateFiles& files) const;
};

// Problems are left to Settings::Finish().
RegistryConfig ReadRegistryConfig(Settings& section);

}  // namespace outport
