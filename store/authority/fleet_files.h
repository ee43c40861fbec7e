#pragma once

#include <chrono>
#include <filesystem>
#include <optional>

#include "registry/base/result.h"
#include "store/authority/authorities.h"

namespace outport::store {

// These files in DATA/pki are for the fleet port, and by default also for the registry port. Both
// ports reload the files after a change:
//   trusted.crt              the trust bundle
//   server.crt, server.key   the store's certificate (leaf, issuing CAs, roots) and its key

// The present time by the wall clock. While the wall clock may be wrong, also by the store clock.
struct RenewalTime {
  std::chrono::system_clock::time_point wall;
  std::optional<std::chrono::system_clock::time_point> store = {};
};

// Writes the trust bundle. Reissues the server certificate if the CA chain has changed, after a
// third of the certificate's lifetime, or if the certificate is not valid yet, because a wrong
// clock has made it. With `now.store`, which means that the wall clock may be wrong, waits: until
// both clocks say that the certificate is not valid yet, or until it ends within 30 days by the
// store clock. The certificate keeps its key and its names. Blocks.
Result<void> WriteFleetFiles(const std::filesystem::path& pki, const TrustState& trust,
                             const RenewalTime& now);

// Writes only the trust bundle. Blocks.
Result<void> WriteTrustBundle(const std::filesystem::path& pki, const TrustState& trust);

// Issues the server certificate of a new store. Blocks.
Result<void> WriteServerCertificate(const std::filesystem::path& pki, const TrustState& trust,
                                    const std::string& private_key,
                                    const std::vector<std::string>& host_names);

// If the server key is missing, makes a new key, and reissues the certificate for the new key and
// the same names. To replace a key that may be compromised, an administrator deletes its file and
// restarts the store. Blocks.
Result<void> ReplaceMissingServerKey(const std::filesystem::path& pki, const TrustState& trust);

inline constexpr const char* kTrustBundleFile = "trusted.crt";

}  // namespace outport::store
