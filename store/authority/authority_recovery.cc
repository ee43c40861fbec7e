#include "store/authority/authority_recovery.h"

#include <system_error>
#include <utility>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/authority/authorities.h"
#include "store/authority/fleet_files.h"
#include "store/authority/next_authority.h"

namespace outport::store {

Result<AuthorityFiles> RecoverAuthorityFiles(FileSystem& files, const std::filesystem::path& pki,
                                             const std::string& domain, const MetaStore& meta) {
  TRY(const auto rotation, ReadRow<v1::RotationRow>(meta, keys::kRotation));
  if (rotation.has_value() && rotation->phase() == kRetirePhase) {
    TRY_VOID(PromoteNext(files, pki));
  }
  TRY(pki::Authority authority, LoadAuthority(pki, domain));
  const TrustState trust = TrustStateOf(std::move(authority));
  TRY_VOID(ReplaceMissingServerKey(pki, trust));
  std::error_code ignored;
  if (!std::filesystem::exists(pki / kTrustBundleFile, ignored)) {
    TRY_VOID(WriteTrustBundle(pki, trust));
  }
  return LoadAuthorityFiles(pki, domain);
}

}  // namespace outport::store
