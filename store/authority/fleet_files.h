#pragma once

#include <chrono>
#include <filesystem>

#include "registry/base/result.h"
#include "store/authority/authorities.h"

namespace outport::store {

// What the fleet's port, and by default the registry's, reads from DATA/pki as it changes:
//   trusted.crt              whom they trust
//   server.crt, server.key   the store's certificate (leaf, issuing CAs, roots) and its key
// Brings both to `trust`: the certificate is issued anew, for the key and the names that it has,
// when another authority issues now, or a third of its life is over. Blocks.
Result<void> WriteFleetFiles(const std::filesystem::path& pki, const TrustState& trust,
                             std::chrono::system_clock::time_point now);

// The server certificate of a new store. Blocks.
Result<void> WriteServerCertificate(const std::filesystem::path& pki, const TrustState& trust,
                                    const std::string& private_key,
                                    const std::vector<std::string>& host_names);

// The same with a new key, for the names of the certificate that is there, if there is no key (any
// more): somebody put it away since others may have it.
Result<void> ReplaceMissingServerKey(const std::filesystem::path& pki, const TrustState& trust);

inline constexpr const char* kTrustBundleFile = "trusted.crt";

}  // namespace outport::store
