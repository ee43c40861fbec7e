#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/identity.h"

namespace grpc::experimental {
class CertificateVerifier;
}

// The checks of a peer's certificate in the TLS handshakes of the fleet port. They come after
// OpenSSL has verified that the chain ends at the fleet's root, and before the first call.
namespace outport::rpc {

// Returns the identity in the first certificate of `pem`. kUnauthorized if the certificate has
// expired or is not valid yet. `whose` begins the error text: "the caller's certificate".
Result<CertificateIdentity> InspectValid(std::string_view pem, std::string_view whose);

// Every refusal of a StoreVerifier() contains this text, then the reason.
inline constexpr std::string_view kNotTheStore = "the server is not the store of this fleet: ";

// Returns a verifier for the clients of the fleet port. It accepts a server only if the certificate
// names the host that the client dialled, has the role `store` in `domain`, and is valid now. An
// empty `domain` means any domain under the trusted root. If `domain` is an error, the verifier
// refuses every server with that error. Safe for several threads.
std::shared_ptr<grpc::experimental::CertificateVerifier> StoreVerifier(Result<std::string> domain);

// Admits connections to the fleet port. If the peer shows a certificate, it must have the role
// `node` or `admin` in the fleet's domain and be valid now. A revoked administrator is refused. A
// revoked node is admitted, so that its calls are refused with the reason. A peer without a
// certificate is admitted, because a new node has none when it enrols. Safe for several threads.
class MemberGate {
 public:
  MemberGate(std::string domain, const AccessDirectory& directory, Log log)
      : domain_(std::move(domain)), log_(std::move(log)), directory_(&directory) {}

  // Returns why the gate refuses the certificate, or success. `certificate` is PEM; an empty text
  // means none. Logs refusals, at most one in kLogInterval.
  Result<void> Admit(std::string_view certificate);
  // From now on, refuses every certificate and no longer uses the directory. A handshake may end
  // after the server has stopped, because the server's credentials own the gate, too.
  void Close();

 private:
  static constexpr std::chrono::seconds kLogInterval{10};
  Result<void> Check(std::string_view certificate);
  Result<bool> IsRevoked(const CertificateIdentity& identity);
  void LogRefusal(const Error& why);

  const std::string domain_;
  const Log log_;
  Mutex mutex_;
  const AccessDirectory* directory_ OUTPORT_GUARDED_BY(mutex_);  // nullptr: closed
  std::chrono::steady_clock::time_point next_log_ OUTPORT_GUARDED_BY(mutex_);
  int64_t unlogged_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

// Returns a verifier for the server of the fleet port, which shares the gate.
std::shared_ptr<grpc::experimental::CertificateVerifier> MemberVerifier(
    std::shared_ptr<MemberGate> gate);

}  // namespace outport::rpc
