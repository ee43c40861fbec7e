#include "registry/rpc/status.h"

#include <string>

namespace outport::rpc {
namespace {

constexpr char kSeparator = '\n';

ErrorCode FromGrpcCode(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::CANCELLED:
      return ErrorCode::kCancelled;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return ErrorCode::kInvalidArgument;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ErrorCode::kDeadlineExceeded;
    case grpc::StatusCode::NOT_FOUND:
      return ErrorCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
      return ErrorCode::kAlreadyExists;
    case grpc::StatusCode::PERMISSION_DENIED:
      return ErrorCode::kDenied;
    case grpc::StatusCode::UNAUTHENTICATED:
      return ErrorCode::kUnauthorized;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return ErrorCode::kTooManyRequests;
    case grpc::StatusCode::FAILED_PRECONDITION:
      return ErrorCode::kFailedPrecondition;
    case grpc::StatusCode::DATA_LOSS:
      return ErrorCode::kCorrupt;
    case grpc::StatusCode::UNAVAILABLE:
      return ErrorCode::kUnavailable;
    default:
      // The peer sent no Outport error: the connection failed, or the peer has another version.
      return ErrorCode::kUnavailable;
  }
}

// A server that refuses the caller's certificate closes the connection without a reason. After TLS
// 1.3 the caller sees this as the end of a connection on which it could not make a call yet.
bool ClosedInHandshake(const std::string& message) {
  return message.contains("failed to connect") &&
         (message.contains("Socket closed") || message.contains("Connection reset") ||
          message.contains("Broken pipe"));
}

}  // namespace

grpc::Status ToStatus(const Error& error) {
  const ErrorTraits& traits = TraitsOf(error.code);
  std::string details(traits.name);
  for (const std::string& item : error.items) details += kSeparator + item;
  return grpc::Status(static_cast<grpc::StatusCode>(traits.grpc_status), error.message, details);
}

Error FromStatus(const grpc::Status& status, std::string_view operation) {
  const std::string all_details = status.error_details();
  std::string_view details = all_details;
  const std::string_view name = details.substr(0, details.find(kSeparator));
  if (const ErrorTraits* traits = FindErrorTraits(name)) {
    Error error{traits->code, status.error_message()};
    while (details.find(kSeparator) != std::string_view::npos) {
      details.remove_prefix(details.find(kSeparator) + 1);
      error.items.emplace_back(details.substr(0, details.find(kSeparator)));
    }
    return error;
  }
  std::string message = std::string(operation) + ": " + status.error_message();
  if (ClosedInHandshake(message)) {
    message += "; " + std::string(kClosedInHandshake) +
               ", for example because it was revoked; see the peer's log";
  }
  return Error{FromGrpcCode(status.error_code()), std::move(message)};
}

v1::Refusal ToRefusal(const Error& error) {
  v1::Refusal refusal;
  refusal.set_code(std::string(TraitsOf(error.code).name));
  refusal.set_message(error.message);
  for (const std::string& item : error.items) refusal.add_items(item);
  return refusal;
}

Error FromRefusal(const v1::Refusal& refusal) {
  const ErrorTraits* traits = FindErrorTraits(refusal.code());
  Error error{traits != nullptr ? traits->code : ErrorCode::kUnavailable, refusal.message()};
  return std::move(error).About({refusal.items().begin(), refusal.items().end()});
}

}  // namespace outport::rpc
