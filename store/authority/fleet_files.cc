#include "store/authority/fleet_files.h"

#include <algorithm>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;
constexpr std::chrono::days kServerLifetime{365};
constexpr int kRenewAtShare = 3;                 // renew after 1/3 of the lifetime
constexpr std::chrono::days kLatestRenewal{30};  // before the end, while the clock may be wrong

Result<void> WriteIfChanged(const fs::path& path, const std::string& content) {
  const auto present = ReadWholeFile(path);
  if (present.has_value() && *present == content) return {};
  return ReplaceFile(path, content, kPublicMode);
}

// Returns the CA chain and the roots. A joining node needs the roots, because it looks for the root
// with the fingerprint in its token.
std::string ChainWithRoots(const TrustState& trust) { return trust.chain + trust.roots; }

Result<bool> IsRenewalDue(const std::string& chain, const TrustState& trust,
                          const RenewalTime& now) {
  TRY(const std::string behind, pki::IssuerChain(chain));
  if (behind != ChainWithRoots(trust)) return true;
  TRY(const pki::Validity leaf, pki::ValidityOf(chain));
  if (now.store.has_value()) {
    return std::max(now.wall, *now.store) < leaf.begin || *now.store >= leaf.end - kLatestRenewal;
  }
  return now.wall < leaf.begin || now.wall >= leaf.begin + (leaf.end - leaf.begin) / kRenewAtShare;
}

}  // namespace

Result<void> WriteServerCertificate(const fs::path& pki, const TrustState& trust,
                                    const std::string& private_key,
                                    const std::vector<std::string>& host_names) {
  TRY(const std::string request, pki::CreateRequest(private_key));
  const pki::LeafOptions options{.role = Role::kStore,
                                 .name = "store",
                                 .host_names = host_names,
                                 .server = true,
                                 .client = false,
                                 .lifetime = kServerLifetime};
  TRY(const pki::IssuedCertificate issued, pki::Issue(trust.signer, request, options));
  return ReplaceFile(pki / "server.crt", issued.certificate + ChainWithRoots(trust), kPublicMode);
}

Result<void> ReplaceMissingServerKey(const fs::path& pki, const TrustState& trust) {
  std::error_code ignored;
  if (fs::exists(pki / "server.key", ignored)) return {};
  TRY(const std::string chain, ReadWholeFile(pki / "server.crt"));
  TRY(const std::vector<std::string> hosts, pki::HostNames(chain));
  TRY(const pki::KeyType type, pki::KeyTypeOf(chain));
  const std::string key = pki::CreatePrivateKey(type);
  TRY_VOID(WriteServerCertificate(pki, trust, key, hosts));
  return ReplaceFile(pki / "server.key", key, kSecretMode);
}

Result<void> WriteTrustBundle(const fs::path& pki, const TrustState& trust) {
  return WriteIfChanged(pki / kTrustBundleFile, trust.bundle);
}

Result<void> WriteFleetFiles(const fs::path& pki, const TrustState& trust, const RenewalTime& now) {
  TRY_VOID(WriteTrustBundle(pki, trust));
  TRY(const std::string chain, ReadWholeFile(pki / "server.crt"));
  TRY(const bool due, IsRenewalDue(chain, trust, now));
  if (!due) return {};
  TRY(const std::vector<std::string> hosts, pki::HostNames(chain));
  TRY(const std::string key, ReadSecretFile(pki / "server.key"));
  return WriteServerCertificate(pki, trust, key, hosts);
}

}  // namespace outport::store
