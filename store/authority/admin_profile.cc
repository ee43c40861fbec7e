#include "store/authority/admin_profile.h"

#include "registry/security/pki/pki.h"

namespace outport::store {

Result<void> CreateAdminProfile(FileSystem& files, const std::filesystem::path& folder,
                                const std::string& name, const std::string& store_address,
                                Certificates& certificates) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / "admin.key", ignored)) {
    return Error{ErrorCode::kAlreadyExists,
                 (folder / "admin.key").native() +
                     " exists already and is never replaced; choose another --admin-out, or remove "
                     "the folder if nobody uses it"};
  }
  const std::string key = pki::CreatePrivateKey();
  TRY(const std::string request, pki::CreateRequest(key));
  TRY(const Certificates::Issued issued,
      certificates.Issue(Role::kAdmin, name, request, 0,
                         Actor{.kind = "store", .name = "outport-store init"}));
  const Result<void> made = files.CreateDirectories(folder);
  if (!made.has_value()) {
    return Error{made.error().code, made.error().message + "; choose another --admin-out"};
  }
  TRY_VOID(ReplaceFile(folder / "ca.crt", issued.authorities, 0644));
  TRY_VOID(ReplaceFile(folder / "admin.crt", issued.chain, 0644));
  TRY_VOID(ReplaceFile(folder / "outportctl.yml",
                       "# Where outportctl finds the store.\nstore: \"" + store_address + "\"\n",
                       0644));
  return ReplaceFile(folder / "admin.key", key, 0600);
}

}  // namespace outport::store
