#include "control/console/store_client.h"

#include "registry/base/bytes.h"
#include "registry/rpc/peer_verifier.h"
#include "registry/rpc/status.h"
#include "registry/security/pki/pki.h"

namespace outport::control {
namespace {

// Returns why the store may have closed the connection in the TLS handshake. It gives no reason.
std::string WhyClosed(const std::string& message, const Profile& profile) {
  const std::string certificate = (profile.folder / "admin.crt").native();
  const auto own = pki::Inspect(profile.identity.certificate_chain);
  if (own.has_value() && own->role != Role::kAdmin && own->role != Role::kNode) {
    return "the store closed the connection, because " + certificate + " has the role '" +
           std::string(ToString(own->role)) +
           "'; name a profile of an administrator with --profile DIR";
  }
  return "the connection was closed during the TLS handshake: another program listens there, or "
         "the store does not accept " +
         certificate +
         ", for example because it was revoked; ask another administrator for 'outportctl cert "
         "list' (" +
         message + ")";
}

// Translates gRPC's message for a failed connection into a likely cause and a fix.
std::string CauseAndFix(const std::string& message, const Profile& profile) {
  const std::string folder = profile.folder.native();
  if (const size_t found = message.find(rpc::kNotTheStore); found != std::string::npos) {
    return message.substr(found) + "; nothing was sent to it; check 'store' in " + folder +
           "/outportctl.yml";
  }
  if (message.contains("CERTIFICATE_VERIFY_FAILED") || message.contains("verify failed")) {
    return "the store's certificate is not accepted, because it belongs to another fleet, or "
           "because it is not valid at the time of this machine's clock; compare " +
           folder + "/ca.crt with the store's, and check 'store' in " + folder + "/outportctl.yml";
  }
  if (message.contains("ALPN")) {
    return "this is not the store's fleet port (5001 by default); check 'store' in " + folder +
           "/outportctl.yml";
  }
  if (message.contains("Socket closed") || message.contains("onnection reset") ||
      message.contains("Broken pipe") || message.contains("andshake") ||
      message.contains("ertificate required") || message.contains("CERTIFICATE_REQUIRED")) {
    return WhyClosed(message, profile);
  }
  return message + "; check that the store runs, and check 'store' in " + folder +
         "/outportctl.yml";
}

}  // namespace

StoreClient::StoreClient(Profile profile)
    : profile_(std::move(profile)),
      channel_(rpc::Dial(profile_.store, profile_.identity)),
      request_id_(RandomHex(8)) {}

Error StoreClient::Explain(const grpc::Status& status, const std::string& operation) const {
  Error error = rpc::FromStatus(status, operation);
  const std::string at = " at " + profile_.store;
  const bool from_store = !status.error_details().empty();
  if (from_store) return std::move(error).Within(operation + at);
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    error.code = ErrorCode::kUnsupported;
    error.message = operation + at +
                    ": the store's release does not have this call; update the "
                    "store, or use the outportctl of its release";
  } else if (error.code == ErrorCode::kUnavailable) {
    error.message = operation + at + ": " + CauseAndFix(status.error_message(), profile_);
  } else if (error.code == ErrorCode::kDeadlineExceeded) {
    error.message = operation + at +
                    ": no answer in time; check the network, and the log and load of the store";
  } else {
    error.message = operation + at + ": " + status.error_message();
  }
  return error;
}

}  // namespace outport::control
