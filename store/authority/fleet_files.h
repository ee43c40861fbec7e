#pragma once

#include <chrono>
#include <filesystem>

#include "registry/base/result.h"
#include "store/authority/authorities.h"

namespace outport::store {

// The files in DATA/pki that the fleet port reads, and by default the registry port too. Both
// reload them after a change:
//   trusted.crt              the trust bundle
//   server.crt, server.key   the store's certificate (leaf, issuing CAs, roots) and its key

// Writes the trust bundle, and reissues the server certificate if that is due: if the CA chain has
// changed, or after a third of the certificate's lifetime. The key and the names remain. Blocks.
Result<void> WriteFleetFiles(const std::filesystem::path& pki, const TrustState& trust,
                             std::chrono::system_clock::time_point now);

// Issues the server certificate of a new store. Blocks.
Result<void> WriteServerCertificate(const std::filesystem::path& pki, const TrustState& trust,
                                    const std::string& private_key,
                                    const std::vector<std::string>& host_names);

// If the server key is missing, makes a new key and reissues the certificate for it, with the names
// of the present one. An administrator deletes a key that may be compromised. Blocks.
Result<void> ReplaceMissingServerKey(const std::filesystem::path& pki, const TrustState& trust);

inline constexpr const char* kTrustBundleFile = "trusted.crt";

}  // namespace outport::store
