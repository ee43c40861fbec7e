#pragma once

#include <filesystem>
#include <string>

#include "outport/v1/authority.pb.h"
#include "registry/base/file.h"
#include "registry/base/result.h"
#include "registry/security/pki/pki.h"

namespace outport::store {

// The authority that replaces the current one, in DATA/pki/next during a rotation:
//   issuing.key, issuing.crt   the next issuing CA
//   root.crt [root.key]        its root: the current one, or the next one
//   cross.crt                  if the root is rotated: the next issuing CA signed by the old root,
//                              for members that accept only the old root
// All functions block.
struct NextAuthority {
  pki::Authority authority;
  std::string cross;  // PEM; empty: the root is not rotated

  static Result<NextAuthority> Load(const std::filesystem::path& pki, const std::string& domain);
};

// Makes and returns a new key for the next issuing CA, and deletes an earlier next key. `type` is a
// type of pki::ParseKeyType(); empty means the type of the current issuing CA.
Result<std::string> MakeNextKey(FileSystem& files, const std::filesystem::path& pki,
                                const pki::Authority& current, const std::string& type);
// Completes DATA/pki/next. If the request has certificates, they must be for the key of
// MakeNextKey(). Otherwise the root's key in DATA/pki signs the certificates. Returns
// kInvalidArgument if the certificates do not belong together or do not belong to the key, and
// kFailedPrecondition if the root's key is missing.
Result<void> MakeNext(FileSystem& files, const std::filesystem::path& pki,
                      const pki::Authority& current, const v1::StartRotationRequest& request);
// Makes the next authority the current authority. If a crash interrupted an earlier call, completes
// that call.
Result<void> PromoteNext(FileSystem& files, const std::filesystem::path& pki);
Result<void> RemoveNext(FileSystem& files, const std::filesystem::path& pki);

}  // namespace outport::store
