#pragma once

#include <chrono>
#include <string>

#include "node/replica/replica.h"
#include "registry/service/registry.h"

namespace outport::node {

// Waits until the replica has applied the change `sequence` of the log of `epoch`; of the log that
// it follows, if that is empty. False at the deadline.
net::awaitable<bool> WaitUntilApplied(Replica& replica, std::string epoch, uint64_t sequence,
                                      std::chrono::steady_clock::time_point deadline);

// Whether the replica's rows may answer a caller that names a change which the answer must not be
// older than. Waits for them a little.
net::awaitable<bool> RowsMayAnswer(Replica& replica, const Caller& caller);

// kUnavailable, unless an answer that stands at `head` is new enough for the caller.
Result<void> RequireMinSequence(const Caller& caller, const v1::Position& head);

}  // namespace outport::node
