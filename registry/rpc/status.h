#pragma once

#include <grpcpp/support/status.h>

#include "outport/v1/push.pb.h"
#include "registry/base/result.h"

namespace outport::rpc {

// An Error on the wire: its gRPC status, its message, and its own name in the status details, so
// that the other side gets the same code back. Items travel in the details too.
grpc::Status ToStatus(const Error& error);

// The error of a failed call: the peer's own if it is one of ours, else by gRPC's code (a peer that
// cannot be reached is kUnavailable). `operation` says what was attempted, and with whom.
Error FromStatus(const grpc::Status& status, std::string_view operation);

// An Error inside a message, where a status has not the room for it; items and all.
v1::Refusal ToRefusal(const Error& error);
Error FromRefusal(const v1::Refusal& refusal);

}  // namespace outport::rpc
