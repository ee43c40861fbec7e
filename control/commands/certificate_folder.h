#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/pki/identity.h"

namespace outport::control {

// A folder with a certificate. Either docker's layout, FOLDER/{ca.crt,client.cert,client.key}, or
// an administrator's profile, FOLDER/{ca.crt,admin.crt,admin.key,outportctl.yml}. Blocks.
struct CertificateFolder {
  std::filesystem::path path;
  bool administrators = false;

  std::filesystem::path certificate() const {
    return path / (administrators ? "admin.crt" : "client.cert");
  }
  std::filesystem::path key() const { return path / (administrators ? "admin.key" : "client.key"); }
  std::filesystem::path authorities() const { return path / "ca.crt"; }

  // Creates the folder and checks that its files can be written, before a certificate is issued.
  // Returns kAlreadyExists if a private key is there and `replace` is false.
  Result<void> Prepare(bool with_key, bool replace) const;
  // Writes the files. An empty key keeps the key that is there.
  Result<void> Write(const std::string& key_pem, const std::string& certificate_pem,
                     const std::string& authorities_pem) const;
};

// The folders with certificates: `path` itself and its subfolders. A profile's subfolders are not
// searched. kNotFound if there is none.
Result<std::vector<CertificateFolder>> FindCertificateFolders(const std::filesystem::path& path);

}  // namespace outport::control
