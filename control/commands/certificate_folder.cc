#include "control/commands/certificate_folder.h"

#include <algorithm>

#include "registry/base/file.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;

bool HasCertificate(const CertificateFolder& folder) {
  std::error_code ignored;
  return fs::exists(folder.certificate(), ignored);
}

}  // namespace

Result<void> CertificateFolder::Prepare(bool with_key, bool replace) const {
  PosixFileSystem files;
  std::error_code ignored;
  if (with_key && !replace && fs::exists(key(), ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 key().native() +
                     " already exists; choose another --out, or overwrite the private key with "
                     "--replace if it is no longer needed"};
  }
  Result<void> possible = files.CreateDirectories(path);
  if (possible.has_value()) possible = CheckReplaceable(with_key ? key() : certificate());
  if (possible.has_value()) return {};
  return Error{possible.error().code, possible.error().message + "; choose another --out"};
}

Result<void> CertificateFolder::Write(const std::string& key_pem,
                                      const std::string& certificate_pem,
                                      const std::string& authorities_pem) const {
  if (!key_pem.empty()) TRY_VOID(ReplaceFile(key(), key_pem, kSecretMode));
  TRY_VOID(ReplaceFile(certificate(), certificate_pem, kPublicMode));
  return ReplaceFile(authorities(), authorities_pem, kPublicMode);
}

Result<std::vector<CertificateFolder>> FindCertificateFolders(const fs::path& path) {
  std::vector<CertificateFolder> found;
  const auto look = [&found](const fs::path& folder) {
    for (const bool administrators : {false, true}) {
      CertificateFolder here{folder, administrators};
      if (HasCertificate(here)) found.push_back(std::move(here));
    }
  };
  look(path);
  std::error_code failure;
  const bool is_profile = std::ranges::any_of(found, &CertificateFolder::administrators);
  if (!is_profile) {
    std::vector<fs::path> folders;
    for (fs::directory_iterator it(path, failure), end; !failure && it != end;
         it.increment(failure)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) folders.push_back(it->path());
    }
    std::ranges::sort(folders);
    std::ranges::for_each(folders, look);
  }
  if (failure) return ErrnoError(failure.value(), "reading", path.native());
  if (!found.empty()) return found;
  return Error{
      ErrorCode::kNotFound,
      path.native() +
          " contains no certificate, and neither does a folder in it; expected client.cert, "
          "or admin.crt in a profile"};
}

}  // namespace outport::control
