#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "node/replica/replica.h"
#include "registry/service/registry.h"

// Read-your-writes: a client sends the sequence of a change that it knows of
// (Outport-Min-Sequence), and no answer may be older than that change.
namespace outport::node {

// Waits until the replica has applied the change `sequence` of the log of `epoch`. An empty `epoch`
// means the log that the replica follows. Returns false if the deadline passes first.
net::awaitable<bool> WaitUntilApplied(Replica& replica, std::string epoch, uint64_t sequence,
                                      std::chrono::steady_clock::time_point deadline);

// Waits up to one second until the replica includes the change that the caller knows of. Returns
// whether the replica includes the change.
net::awaitable<bool> WaitForCallersChange(Replica& replica, const Caller& caller);

// Returns kUnavailable if an answer at `position` is older than the change that the caller knows
// of.
Result<void> RequireCallersChange(const Caller& caller, const v1::Position& position);

}  // namespace outport::node
