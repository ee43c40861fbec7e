#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "control/console/invocation.h"
#include "control/console/store_client.h"
#include "registry/base/result.h"

namespace outport::control {

// The names of the nodes that have applied a change of the store, and of those that have not.
struct Confirmation {
  std::vector<std::string> confirmed;
  std::vector<std::string> pending;
  std::vector<std::string> disconnected;  // empty if the caller named the nodes: they are pending
};

// Waits until every node of `names` has applied the change `sequence`, or until the timeout. If
// `names` is empty, waits for every connected node. Polls the store every 50 ms. Returns kNotFound
// if `names` has an unknown node.
Result<Confirmation> AwaitNodes(StoreClient& client, uint64_t sequence,
                                const std::vector<std::string>& names,
                                std::chrono::milliseconds timeout);
std::string Join(const std::vector<std::string>& names);  // "eu-west, us-east"

// Warns on the error stream if the store has a change in force, but could not write it.
void WarnIfPending(const Invocation& invocation, bool pending);

}  // namespace outport::control
