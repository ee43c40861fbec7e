#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/commands/audit_chain.h"
#include "control/console/invocation.h"
#include "registry/base/result.h"

namespace outport::control {

// What `audit verify` holds audit files against.
struct AuditFilesCheck {
  std::vector<std::string> files;  // oldest first
  std::string expect;              // the hash of an entry in hexadecimal; empty: ask the store
  uint64_t from = 0;               // the first entry; 0: see CheckAuditFiles()
};

// Adds the files to `chain`, and checks that nothing is missing at their ends:
//  - The files begin with entry `from`. If `from` is 0, they begin with entry 1, or with the first
//    entry that the store has not trimmed.
//  - The files have the entry with the hash `expect`. If `expect` is empty, they have the store's
//    last entry. The store writes an entry into the file within a second, so this waits for it.
// Calls the store only if `expect` is empty. kCorrupt says what is missing, and what to do.
Result<void> CheckAuditFiles(const Invocation& invocation, const AuditFilesCheck& check,
                             AuditChain& chain);

}  // namespace outport::control
