#pragma once

#include <filesystem>
#include <string>

#include "outport/v1/authority.pb.h"
#include "registry/base/file.h"
#include "registry/base/result.h"
#include "registry/security/pki/pki.h"

namespace outport::store {

// The authority that is to take the current one's place, in DATA/pki/next while that goes on:
//   issuing.key, issuing.crt   the next issuing CA
//   root.crt [root.key]        its root: the same as before, or the next one
//   cross.crt                  where the root is replaced: the next issuing CA, signed by the older
//                              root, so that who trusts only that one accepts what it issues
// All of this blocks.
struct NextAuthority {
  pki::Authority authority;
  std::string cross;  // empty: the root stays

  static Result<NextAuthority> Load(const std::filesystem::path& pki, const std::string& domain);
};

// A new key for the next issuing CA, in place of what there was; returns it. `type`: as
// pki::ParseKeyType() takes it; empty: that of the current one.
Result<std::string> MakeNextKey(FileSystem& files, const std::filesystem::path& pki,
                                const pki::Authority& current, const std::string& type);
// Makes the rest: of what the request brings, for the key that is there, or else with the root's
// key in DATA/pki. kInvalidArgument: what was brought does not belong together, or to that key;
// kFailedPrecondition: the root's key is not there.
Result<void> MakeNext(FileSystem& files, const std::filesystem::path& pki,
                      const pki::Authority& current, const v1::StartRotationRequest& request);
// Makes the next authority the current one; goes on where an earlier attempt was cut off.
Result<void> PromoteNext(FileSystem& files, const std::filesystem::path& pki);
Result<void> RemoveNext(FileSystem& files, const std::filesystem::path& pki);

}  // namespace outport::store
