#pragma once

#include <string>

namespace outport::store {

// What names a store to its nodes and administrators. Both come from its StoreRow.
struct StoreIdentity {
  std::string epoch;   // of its change log
  std::string domain;  // of the fleet's certificates
};

}  // namespace outport::store
