#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/pki/identity.h"

namespace outport::control {

// A folder with a certificate. It has docker's layout, FOLDER/{ca.crt,client.cert,client.key}, or
// is an administrator's profile, FOLDER/{ca.crt,admin.crt,admin.key,outportctl.yml}. Prepare() and
// Write() block.
struct CertificateFolder {
  std::filesystem::path path;
  bool administrators = false;

  std::filesystem::path certificate() const {
    return path / (administrators ? "admin.crt" : "client.cert");
  }
  std::filesystem::path key() const { return path / (administrators ? "admin.key" : "client.key"); }
  std::filesystem::path authorities() const { return path / "ca.crt"; }

  // Creates the folder and checks that its files can be written. Call it before the store issues a
  // certificate, so that the certificate can be saved. Returns kAlreadyExists if the folder has a
  // private key and `replace` is false.
  Result<void> Prepare(bool with_key, bool replace) const;
  // Writes the files. If the key is empty, keeps the key that the folder has.
  Result<void> Write(const std::string& key_pem, const std::string& certificate_pem,
                     const std::string& authorities_pem) const;
};

// Returns the folders that have a certificate, among `path` and its subfolders. Does not search the
// subfolders of a profile. Returns kNotFound if no folder has a certificate. Blocks.
Result<std::vector<CertificateFolder>> FindCertificateFolders(const std::filesystem::path& path);

}  // namespace outport::control
