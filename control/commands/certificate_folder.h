#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/pki/identity.h"

namespace outport::control {

// A folder with a certificate: docker's layout, FOLDER/{ca.crt,client.cert,client.key}, or an
// administrator's profile, FOLDER/{ca.crt,admin.crt,admin.key,outportctl.yml}. Blocks.
struct CertificateFolder {
  std::filesystem::path path;
  bool administrators = false;

  std::filesystem::path certificate() const {
    return path / (administrators ? "admin.crt" : "client.cert");
  }
  std::filesystem::path key() const { return path / (administrators ? "admin.key" : "client.key"); }
  std::filesystem::path authorities() const { return path / "ca.crt"; }

  // Makes the folder, and finds out whether files can be written there: no certificate is issued
  // that has no place. A private key that is there is replaced only if `replace` says so.
  Result<void> Prepare(bool with_key, bool replace) const;
  // An empty key leaves the one that is there.
  Result<void> Write(const std::string& key_pem, const std::string& certificate_pem,
                     const std::string& authorities_pem) const;
};

// Where certificates stand: `path` itself and the folders in it; a profile is looked at alone.
// kNotFound if there is none.
Result<std::vector<CertificateFolder>> FindCertificateFolders(const std::filesystem::path& path);

}  // namespace outport::control
