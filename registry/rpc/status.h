#pragma once

#include <grpcpp/support/status.h>

#include <string_view>

#include "outport/v1/push.pb.h"
#include "registry/base/result.h"

namespace outport::rpc {

// Encodes an Error for the wire. The status details carry the error's name and items, so that the
// peer's FromStatus() restores the same code.
grpc::Status ToStatus(const Error& error);

// The error of a call contains this text if the peer closed the connection in the TLS handshake.
inline constexpr std::string_view kClosedInHandshake =
    "the peer may have refused the certificate of this machine";

// Returns the error of a failed call. This is the peer's Error if the peer sent one, or else an
// error for gRPC's status code: kUnavailable if the peer is unreachable. `operation` describes the
// call, for example "resolving library/busybox:latest at the store".
Error FromStatus(const grpc::Status& status, std::string_view operation);

// Encodes an Error with all its items as a message, because a status has too little space for many
// items.
v1::Refusal ToRefusal(const Error& error);
Error FromRefusal(const v1::Refusal& refusal);

}  // namespace outport::rpc
