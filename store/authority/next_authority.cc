#include "store/authority/next_authority.h"

#include <utility>

namespace outport::store {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;
constexpr const char* kNext = "next";
constexpr const char* kDone = "next.done";  // the folder while it is being deleted

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Result<void> Copy(const fs::path& from, const fs::path& to, unsigned mode) {
  TRY(const std::string content, ReadWholeFile(from));
  return ReplaceFile(to, content, mode);
}

// Returns the certificate in the PEM form that this program writes. Nodes compare trust bundles
// byte by byte, so the same certificate must always have the same text.
Result<std::string> Normalise(const std::string& pem, const char* what) {
  auto certificates = pki::SplitCertificates(pem);
  if (!certificates.has_value()) return std::move(certificates).error().Within(what);
  if (certificates->size() == 1) return std::move(certificates->front());
  return Error{ErrorCode::kInvalidArgument, std::string(what) + ": give exactly one certificate"};
}

Result<void> WriteParts(const fs::path& folder, const std::string& root, const std::string& issuing,
                        const std::string& cross) {
  TRY_VOID(ReplaceFile(folder / "root.crt", root, kPublicMode));
  TRY_VOID(ReplaceFile(folder / "issuing.crt", issuing, kPublicMode));
  if (cross.empty()) return {};
  return ReplaceFile(folder / "cross.crt", cross, kPublicMode);
}

Result<void> UseCertificates(const fs::path& folder, const pki::Authority& current,
                             const v1::StartRotationRequest& request) {
  pki::Authority next = current;
  TRY(next.issuing.certificate, Normalise(request.issuing_certificate(), "the issuing CA"));
  auto key = ReadSecretFile(folder / "issuing.key");
  if (!key.has_value()) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the store has no key for the next issuing CA: start the rotation again"};
  }
  next.issuing.private_key = *std::move(key);
  std::string cross;
  if (request.kind() == "root") {
    TRY(next.root.certificate, Normalise(request.root_certificate(), "the root"));
    TRY(cross, Normalise(request.cross_certificate(), "the cross certificate"));
    pki::Authority crossed = current;
    crossed.issuing = {cross, next.issuing.private_key};
    const Result<void> good = pki::CheckAuthority(crossed);
    if (!good.has_value()) return Error(good.error()).Within("the cross certificate");
  }
  TRY_VOID(pki::CheckAuthority(next));
  return WriteParts(folder, next.root.certificate, next.issuing.certificate, cross);
}

Result<void> Sign(FileSystem& files, const fs::path& pki, const pki::Authority& current,
                  const v1::StartRotationRequest& asked) {
  auto root_key = ReadSecretFile(pki / "root.key");
  if (!root_key.has_value()) {
    if (root_key.error().code != ErrorCode::kNotFound) return root_key.error();
    return Error{
        ErrorCode::kFailedPrecondition,
        "the root's key, which must sign the next issuing CA, is not at the store: name its "
        "file with --root-key"};
  }
  const pki::KeyPair root{current.root.certificate, *std::move(root_key)};
  TRY(const std::string key, MakeNextKey(files, pki, current, asked.key_type()));
  TRY(const std::string request, pki::CreateRequest(key));
  const fs::path folder = pki / kNext;
  if (asked.kind() == "issuing") {
    TRY(const std::string issuing, pki::IssueIssuingCa(root, request, current.domain));
    return WriteParts(folder, root.certificate, issuing, "");
  }
  TRY(const pki::KeyType type, pki::ReplacementKeyType(asked.key_type(), root.certificate));
  TRY(const pki::KeyPair next, pki::CreateRoot(current.domain, type));
  TRY(const std::string issuing, pki::IssueIssuingCa(next, request, current.domain));
  TRY(const std::string cross, pki::IssueIssuingCa(root, request, current.domain));
  TRY_VOID(ReplaceFile(folder / "root.key", next.private_key, kSecretMode));
  return WriteParts(folder, next.certificate, issuing, cross);
}

}  // namespace

Result<NextAuthority> NextAuthority::Load(const fs::path& pki, const std::string& domain) {
  const fs::path folder = pki / kNext;
  if (!Exists(folder)) {
    return Error{ErrorCode::kFailedPrecondition,
                 folder.native() +
                     " is missing, but the metadata says that a rotation is in progress: "
                     "restore both from one backup"};
  }
  NextAuthority next;
  next.authority.domain = domain;
  TRY(next.authority.root.certificate, ReadWholeFile(folder / "root.crt"));
  TRY(next.authority.issuing.certificate, ReadWholeFile(folder / "issuing.crt"));
  TRY(next.authority.issuing.private_key, ReadSecretFile(folder / "issuing.key"));
  if (Exists(folder / "cross.crt")) {
    TRY(next.cross, ReadWholeFile(folder / "cross.crt"));
  }
  const Result<void> good = pki::CheckAuthority(next.authority);
  if (!good.has_value()) return Error(good.error()).Within(folder.native());
  return next;
}

Result<std::string> MakeNextKey(FileSystem& files, const fs::path& pki,
                                const pki::Authority& current, const std::string& type) {
  TRY(const pki::KeyType next, pki::ReplacementKeyType(type, current.issuing.certificate));
  TRY_VOID(RemoveNext(files, pki));
  TRY_VOID(files.CreateDirectories(pki / kNext));
  std::string key = pki::CreatePrivateKey(next);
  TRY_VOID(ReplaceFile(pki / kNext / "issuing.key", key, kSecretMode));
  return key;
}

Result<void> MakeNext(FileSystem& files, const fs::path& pki, const pki::Authority& current,
                      const v1::StartRotationRequest& request) {
  if (request.kind() != "issuing" && request.kind() != "root") {
    return Error{ErrorCode::kInvalidArgument, "'" + request.kind().substr(0, 64) +
                                                  "' cannot be rotated; choose issuing or root"};
  }
  if (request.issuing_certificate().empty()) return Sign(files, pki, current, request);
  return UseCertificates(pki / kNext, current, request);
}

Result<void> PromoteNext(FileSystem& files, const fs::path& pki) {
  const fs::path next = pki / kNext;
  if (!Exists(next)) return RemoveNext(files, pki);
  const bool new_root = Exists(next / "cross.crt");
  TRY_VOID(Copy(next / "issuing.key", pki / "issuing.key", kSecretMode));
  TRY_VOID(Copy(next / "issuing.crt", pki / "issuing.crt", kPublicMode));
  TRY_VOID(Copy(next / "root.crt", pki / "root.crt", kPublicMode));
  if (Exists(next / "root.key")) {
    TRY_VOID(Copy(next / "root.key", pki / "root.key", kSecretMode));
  } else if (new_root && Exists(pki / "root.key")) {
    TRY_VOID(files.Remove(pki / "root.key"));
  }
  return RemoveNext(files, pki);
}

// Renames the folder before it deletes the files, because a rename is atomic. A crash during the
// deletion leaves only next.done.
Result<void> RemoveNext(FileSystem& files, const fs::path& pki) {
  const fs::path done = pki / kDone;
  std::error_code ignored;
  fs::remove_all(done, ignored);
  if (!Exists(pki / kNext)) return {};
  TRY_VOID(files.Rename(pki / kNext, done));
  TRY_VOID(files.SyncDirectory(pki));
  fs::remove_all(done, ignored);
  return {};
}

}  // namespace outport::store
