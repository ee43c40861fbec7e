#pragma once

#include <grpcpp/support/status.h>

#include "outport/v1/push.pb.h"
#include "registry/base/result.h"

namespace outport::rpc {

// Encodes an Error for the wire. The status details carry the error's name and items, so that the
// peer's FromStatus() restores the same code.
grpc::Status ToStatus(const Error& error);

// The error of a failed call: the peer's Error, or else an error for gRPC's code (kUnavailable for
// an unreachable peer). `operation` describes the call: "resolving library/busybox:latest at the
// store".
Error FromStatus(const grpc::Status& status, std::string_view operation);

// An Error as a message, with all items. A status has too little space for many items.
v1::Refusal ToRefusal(const Error& error);
Error FromRefusal(const v1::Refusal& refusal);

}  // namespace outport::rpc
