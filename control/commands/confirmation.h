#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "control/console/store_client.h"
#include "registry/base/result.h"

namespace outport::control {

// Which nodes know a change of the store.
struct Confirmation {
  std::vector<std::string> confirmed;
  std::vector<std::string> behind;  // not so far yet; if all were asked for: and connected
  std::vector<std::string> away;    // not connected, if all were asked for
};

// Until every node of `names` (every connected one, if empty) has applied the change `sequence`, or
// the patience is over; asks the store every 50 ms. kNotFound for a name that no node has.
Result<Confirmation> AwaitNodes(StoreClient& client, uint64_t sequence,
                                const std::vector<std::string>& names,
                                std::chrono::milliseconds patience);
std::string Join(const std::vector<std::string>& names);  // "eu-west, us-east"

}  // namespace outport::control
