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
  std::filesystem::path certificate;  // if empty, the fleet's certificate in DATA/pki
  std::filesystem::path key;
  std::string http_listen;             // address of the plain HTTP server; if empty, there is none
  std::filesystem::path acme_webroot;  // if empty, no answers to ACME challenges
  int64_t redirect_port = 0;           // if 0, redirects lead to the port of `listen`

  ClientAuth client_auth = ClientAuth::kRequire;
  std::filesystem::path client_ca;   // further CAs of client certificates; may be empty
  std::filesystem::path client_crl;  // revocation lists of these CAs; may be empty

  // Returns the paths of the server certificate, its key and the trust bundles. `fleet` is the file
  // name of the fleet's trust bundle in the folder `pki`.
  CertificateFiles Files(const std::filesystem::path& pki, const char* fleet) const;
  // Reads these files. Of the certificates that the fleet's authorities issue, the registry accepts
  // only those of the fleet `domain`. An error names the file that caused it. Blocks.
  Result<LoadedCertificate> Load(const CertificateFiles& files, const std::string& domain) const;
};

// Reads the section. Settings::Finish() reports the problems in it.
RegistryConfig ReadRegistryConfig(Settings& section);

}  // namespace outport
