#include "store/authority_files.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;
constexpr std::chrono::days kServerLifetime{365};

// Says what to do about a part that is missing.
Result<std::string> Found(const fs::path& path, Result<std::string> text) {
  if (text.has_value() || text.error().code != ErrorCode::kNotFound) return text;
  return Error{ErrorCode::kFailedPrecondition,
               path.native() +
                   " is not there; 'outport-store init' makes it, or restore it from "
                   "your backup"};
}

Result<std::string> ReadPart(const fs::path& path) { return Found(path, ReadWholeFile(path)); }
Result<std::string> ReadKey(const fs::path& path) { return Found(path, ReadSecretFile(path)); }

}  // namespace

Result<AuthorityFiles> CreateAuthorityFiles(FileSystem& files, const fs::path& folder,
                                            const std::string& domain,
                                            const std::vector<std::string>& host_names) {
  std::error_code ignored;
  for (const char* name : {"root.crt", "issuing.crt", "root.key", "issuing.key"}) {
    if (fs::exists(folder / name, ignored)) {
      return Error{ErrorCode::kAlreadyExists,
                   (folder / name).native() +
                       " is there already: this folder has an authority; "
                       "choose another --data, or remove the folder if nothing uses it"};
    }
  }
  TRY(pki::Authority authority, pki::CreateAuthority(domain));
  const std::string server_key = pki::CreatePrivateKey();
  TRY(const std::string request, pki::CreateRequest(server_key));
  pki::LeafOptions options;
  options.role = Role::kStore;
  options.name = "store";
  options.host_names = host_names;
  options.server = true;
  options.client = false;
  options.lifetime = kServerLifetime;
  TRY(const pki::IssuedCertificate server, pki::Issue(authority, request, options));
  const std::string chain =
      server.certificate + authority.issuing.certificate + authority.root.certificate;

  TRY_VOID(files.CreateDirectories(folder));
  TRY_VOID(ReplaceFile(folder / "server.key", server_key, kSecretMode));
  TRY_VOID(ReplaceFile(folder / "server.crt", chain, kPublicMode));
  TRY_VOID(ReplaceFile(folder / "issuing.key", authority.issuing.private_key, kSecretMode));
  TRY_VOID(ReplaceFile(folder / "issuing.crt", authority.issuing.certificate, kPublicMode));
  TRY_VOID(ReplaceFile(folder / "root.key", authority.root.private_key, kSecretMode));
  TRY_VOID(ReplaceFile(folder / "root.crt", authority.root.certificate, kPublicMode));
  authority.root.private_key.clear();
  return AuthorityFiles{std::move(authority), chain, server_key};
}

Result<AuthorityFiles> LoadAuthorityFiles(const fs::path& folder, const std::string& domain) {
  AuthorityFiles loaded;
  loaded.authority.domain = domain;
  TRY(loaded.authority.root.certificate, ReadPart(folder / "root.crt"));
  TRY(loaded.authority.issuing.certificate, ReadPart(folder / "issuing.crt"));
  TRY(loaded.authority.issuing.private_key, ReadKey(folder / "issuing.key"));
  TRY(loaded.server_chain, ReadPart(folder / "server.crt"));
  TRY(loaded.server_key, ReadKey(folder / "server.key"));
  // The root's key may live elsewhere; where it lies here, it must lie as safely.
  std::error_code ignored;
  if (fs::exists(folder / "root.key", ignored)) {
    TRY_VOID(ReadKey(folder / "root.key"));
  }
  const Result<void> good = pki::CheckAuthority(loaded.authority);
  if (good.has_value()) return loaded;
  return Error{ErrorCode::kFailedPrecondition,
               "the fleet's authority in " + folder.native() +
                   " is broken: " + good.error().message +
                   "; restore root.crt, issuing.crt and issuing.key from your backup"};
}

}  // namespace outport::store
