#pragma once

#include <string>

namespace outport::store {

// Identifies a store to its nodes and administrators. The values are from the StoreRow.
struct StoreIdentity {
  std::string epoch;   // the epoch of the store's change log
  std::string domain;  // the domain of the fleet's certificates
};

}  // namespace outport::store
