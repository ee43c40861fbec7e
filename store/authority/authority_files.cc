#include "store/authority/authority_files.h"

#include "store/authority/authorities.h"
#include "store/authority/fleet_files.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;

// If the file is missing, replaces kNotFound by an error that says what to do.
Result<std::string> RequireFile(const fs::path& path, Result<std::string> text) {
  if (text.has_value() || text.error().code != ErrorCode::kNotFound) return text;
  return Error{ErrorCode::kFailedPrecondition,
               path.native() +
                   " is missing; restore it from your backup, or create a new store with "
                   "'outport-store init'"};
}

Result<std::string> ReadPart(const fs::path& path) {
  return RequireFile(path, ReadWholeFile(path));
}
Result<std::string> ReadKey(const fs::path& path) {
  return RequireFile(path, ReadSecretFile(path));
}

}  // namespace

Result<AuthorityFiles> CreateAuthorityFiles(FileSystem& files, const fs::path& folder,
                                            const std::string& domain,
                                            const std::vector<std::string>& host_names,
                                            pki::KeyType type) {
  std::error_code ignored;
  for (const char* name : {"root.crt", "issuing.crt", "root.key", "issuing.key"}) {
    if (fs::exists(folder / name, ignored)) {
      return Error{ErrorCode::kAlreadyExists,
                   (folder / name).native() +
                       " exists already, so the folder has an authority; choose another --data, or "
                       "remove the folder if nothing uses it"};
    }
  }
  TRY(pki::Authority authority, pki::CreateAuthority(domain, type));
  TRY_VOID(files.CreateDirectories(folder));
  const std::string server_key = pki::CreatePrivateKey(type);
  const TrustState trust = TrustStateOf(authority);
  TRY_VOID(ReplaceFile(folder / "server.key", server_key, kSecretMode));
  TRY_VOID(WriteServerCertificate(folder, trust, server_key, host_names));
  TRY_VOID(WriteTrustBundle(folder, trust));
  TRY_VOID(ReplaceFile(folder / "issuing.key", authority.issuing.private_key, kSecretMode));
  TRY_VOID(ReplaceFile(folder / "issuing.crt", authority.issuing.certificate, kPublicMode));
  TRY_VOID(ReplaceFile(folder / "root.key", authority.root.private_key, kSecretMode));
  TRY_VOID(ReplaceFile(folder / "root.crt", authority.root.certificate, kPublicMode));
  return LoadAuthorityFiles(folder, domain);
}

Result<pki::Authority> LoadAuthority(const fs::path& folder, const std::string& domain) {
  TRY_VOID(CheckPrivateFolder(folder));
  pki::Authority authority{.domain = domain, .root = {}, .issuing = {}};
  TRY(authority.root.certificate, ReadPart(folder / "root.crt"));
  TRY(authority.issuing.certificate, ReadPart(folder / "issuing.crt"));
  TRY(authority.issuing.private_key, ReadKey(folder / "issuing.key"));
  // An administrator may keep the root's key elsewhere. If the key is in this folder, other users
  // must not be able to read it.
  std::error_code ignored;
  if (fs::exists(folder / "root.key", ignored)) {
    TRY_VOID(ReadKey(folder / "root.key"));
  }
  const Result<void> good = pki::CheckAuthority(authority);
  if (good.has_value()) return authority;
  return Error{ErrorCode::kFailedPrecondition,
               "the fleet's authority in " + folder.native() +
                   " is invalid: " + good.error().message +
                   "; restore root.crt, issuing.crt and issuing.key from your backup"};
}

Result<AuthorityFiles> LoadAuthorityFiles(const fs::path& folder, const std::string& domain) {
  AuthorityFiles loaded;
  TRY(loaded.authority, LoadAuthority(folder, domain));
  TRY(loaded.server_chain, ReadPart(folder / "server.crt"));
  TRY(loaded.server_key, ReadKey(folder / "server.key"));
  return loaded;
}

}  // namespace outport::store
