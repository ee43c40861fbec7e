#pragma once

#include <string>

namespace outport::store {

// Identifies a store to its nodes and administrators. From its StoreRow.
struct StoreIdentity {
  std::string epoch;   // of its change log
  std::string domain;  // of the fleet's certificates
};

}  // namespace outport::store
