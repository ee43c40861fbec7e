#include "control/console/profile.h"

#include <sys/stat.h>

#include <chrono>

#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/base/settings.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;

Error WithFix(Error error, const std::filesystem::path& folder) {
  if (error.code != ErrorCode::kNotFound) return error;
  return Error{ErrorCode::kFailedPrecondition,
               error.message +
                   "; 'outport-store init' creates a profile (DATA/admin); name its folder with "
                   "--profile DIR or OUTPORT_PROFILE (now: " +
                   folder.native() + ")"};
}

Error InFile(Error error, const std::filesystem::path& file) {
  return std::move(error).Within(file.native());
}

// Checks that only the owner can write to the folder: other users could replace the authorities in
// ca.crt. Other users may read the folder, because the key file itself is private. The check
// accepts a folder with the sticky bit, such as a mounted secret.
Result<void> CheckFolder(const std::filesystem::path& folder) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return {};
  const bool open = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (!open || (status.st_mode & S_ISVTX) != 0) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "others than its owner can write to " + folder.native() +
                   ", and could have replaced its files; run 'chmod go-w " + folder.native() +
                   "', and check the files if other people use this machine"};
}

// Finds problems of the certificate that gRPC would report only as a failed handshake.
Result<void> CheckIdentity(const Profile& profile) {
  const std::filesystem::path certificate = profile.folder / "admin.crt";
  const auto pair =
      pki::CheckKeyPair(profile.identity.certificate_chain, profile.identity.private_key);
  if (!pair.has_value()) return InFile(pair.error(), certificate.native() + " and admin.key");
  const auto root = pki::Fingerprint(profile.identity.authorities);
  if (!root.has_value()) return InFile(root.error(), profile.folder / "ca.crt");
  const auto own = pki::Inspect(profile.identity.certificate_chain);
  if (!own.has_value()) return InFile(own.error(), certificate);
  const auto shown = pki::Describe(profile.identity.certificate_chain);
  if (!shown.has_value()) return InFile(shown.error(), certificate);
  const auto now = std::chrono::system_clock::now();
  if (shown->not_before > now) {
    return Error{ErrorCode::kFailedPrecondition,
                 certificate.native() + " is not valid before " + FormatTime(shown->not_before) +
                     ", but this machine's clock says " + FormatTime(now) +
                     "; set the clock that is wrong"};
  }
  if (own->not_after > now) return {};
  return Error{ErrorCode::kFailedPrecondition,
               certificate.native() + " expired at " + FormatTime(own->not_after) +
                   "; ask another administrator to run 'outportctl cert issue NAME --role admin'"};
}

Result<Profile> ReadFiles(const std::filesystem::path& folder) {
  Profile profile;
  profile.folder = folder;
  TRY(const std::string text, ReadWholeFile(folder / "outportctl.yml"));
  TRY(Settings settings, Settings::Parse(text, (folder / "outportctl.yml").native()));
  profile.store = settings.RequiredString("store");
  TRY_VOID(settings.Finish());
  TRY(profile.identity.authorities, ReadWholeFile(folder / "ca.crt"));
  TRY(profile.identity.certificate_chain, ReadWholeFile(folder / "admin.crt"));
  TRY_VOID(CheckFolder(folder));
  TRY(profile.identity.private_key, ReadSecretFile(folder / "admin.key"));
  return profile;
}

}  // namespace

Result<Profile> Profile::Load(const std::filesystem::path& folder) {
  Result<Profile> profile = ReadFiles(folder);
  if (!profile.has_value()) return WithFix(std::move(profile).error(), folder);
  const Result<void> valid = CheckIdentity(*profile);
  if (!valid.has_value()) return valid.error();
  return profile;
}

Result<void> Profile::Save() const {
  PosixFileSystem files;
  TRY_VOID(files.CreateDirectories(folder));
  if (!identity.private_key.empty()) {
    TRY_VOID(ReplaceFile(folder / "admin.key", identity.private_key, kSecretMode));
  }
  TRY_VOID(ReplaceFile(folder / "admin.crt", identity.certificate_chain, kPublicMode));
  TRY_VOID(ReplaceFile(folder / "ca.crt", identity.authorities, kPublicMode));
  return ReplaceFile(folder / "outportctl.yml", "store: \"" + store + "\"\n", kPublicMode);
}

}  // namespace outport::control
