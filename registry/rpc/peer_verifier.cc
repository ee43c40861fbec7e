#include "registry/rpc/peer_verifier.h"

#include <grpcpp/security/tls_certificate_verifier.h>

#include <functional>
#include <utility>

#include "registry/base/clock.h"
#include "registry/security/pki/pki.h"

namespace outport::rpc {
namespace {

using Request = grpc::experimental::TlsCustomVerificationCheckRequest;

std::string_view ViewOf(const grpc::string_ref& text) { return {text.data(), text.size()}; }

grpc::Status Refusal(std::string text) {
  return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::move(text));
}

Error Foreign(const std::string& whose, const std::string& wanted,
              const CertificateIdentity& identity) {
  return Error{ErrorCode::kDenied, whose + " is for " +
                                       ToSpiffeId(identity.domain, identity.role, identity.name) +
                                       ", but " + wanted};
}

class StoreCheck final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit StoreCheck(Result<std::string> domain) : domain_(std::move(domain)) {}

  bool Verify(Request* request, std::function<void(grpc::Status)>, grpc::Status* status) override {
    // A verifier of one's own replaces gRPC's check of the host name, so make this check here.
    if (!host_.Verify(request, nullptr, status)) {
      *status = Refusal("the host name was not checked");
    } else if (!status->ok()) {
      *status = Refusal(std::string(kNotTheStore) + "its certificate is not valid for the name " +
                        std::string(ViewOf(request->target_name())));
    } else if (const auto store = Check(ViewOf(request->peer_cert())); !store.has_value()) {
      *status = Refusal(std::string(kNotTheStore) + store.error().message);
    }
    return true;
  }
  void Cancel(Request*) override {}  // Verify() has always ended

 private:
  Result<void> Check(std::string_view certificate) const {
    TRY(const std::string domain, domain_);
    TRY(const CertificateIdentity peer, InspectValid(certificate, "its certificate"));
    if (peer.role == Role::kStore && (domain.empty() || peer.domain == domain)) return {};
    return Foreign("its certificate",
                   "the store has the role 'store'" +
                       (domain.empty() ? std::string() : " in the domain '" + domain + "'"),
                   peer);
  }

  const Result<std::string> domain_;
  grpc::experimental::HostNameCertificateVerifier host_;
};

class MemberCheck final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  explicit MemberCheck(std::shared_ptr<MemberGate> gate) : gate_(std::move(gate)) {}

  bool Verify(Request* request, std::function<void(grpc::Status)>, grpc::Status* status) override {
    const Result<void> admitted = gate_->Admit(ViewOf(request->peer_cert()));
    if (!admitted.has_value()) *status = Refusal(admitted.error().message);
    return true;
  }
  void Cancel(Request*) override {}  // Verify() has always ended

 private:
  const std::shared_ptr<MemberGate> gate_;  // shared with the server
};

}  // namespace

Result<CertificateIdentity> InspectValid(std::string_view pem, std::string_view whose) {
  TRY(CertificateIdentity identity, pki::Inspect(pem));
  TRY(const pki::Description description, pki::Describe(pem));
  const auto now = std::chrono::system_clock::now();
  const std::string which = std::string(whose) + " (serial " + identity.serial + ")";
  if (identity.not_after <= now) {
    return Error{ErrorCode::kUnauthorized, which + " has expired; renew it"};
  }
  if (description.not_before <= now) return identity;
  return Error{ErrorCode::kUnauthorized, which + " is not valid before " +
                                             FormatTime(description.not_before) +
                                             ", but the clock of the machine that checks it says " +
                                             FormatTime(now) + "; set the clock that is wrong"};
}

std::shared_ptr<grpc::experimental::CertificateVerifier> StoreVerifier(Result<std::string> domain) {
  return grpc::experimental::ExternalCertificateVerifier::Create<StoreCheck>(std::move(domain));
}

std::shared_ptr<grpc::experimental::CertificateVerifier> MemberVerifier(
    std::shared_ptr<MemberGate> gate) {
  return grpc::experimental::ExternalCertificateVerifier::Create<MemberCheck>(std::move(gate));
}

Result<void> MemberGate::Admit(std::string_view certificate) {
  if (certificate.empty()) return {};
  Result<void> admitted = Check(certificate);
  if (!admitted.has_value()) LogRefusal(admitted.error());
  return admitted;
}

Result<void> MemberGate::Check(std::string_view certificate) {
  TRY(const CertificateIdentity peer, InspectValid(certificate, "the peer's certificate"));
  const bool member = peer.role == Role::kNode || peer.role == Role::kAdmin;
  if (!member || peer.domain != domain_) {
    return Foreign("the peer's certificate",
                   "the fleet port admits nodes and administrators of the domain '" + domain_ + "'",
                   peer);
  }
  // RequireRole() checks the nodes in each call, so that a removed node learns why.
  if (peer.role == Role::kNode) return {};
  TRY(const bool revoked, IsRevoked(peer));
  if (!revoked) return {};
  return Error{ErrorCode::kUnauthorized, "the certificate of " +
                                             ToSpiffeId(peer.domain, peer.role, peer.name) +
                                             " (serial " + peer.serial + ") was revoked"};
}

Result<bool> MemberGate::IsRevoked(const CertificateIdentity& identity) {
  MutexLock lock(mutex_);
  if (directory_ != nullptr) return directory_->IsRevoked(identity);
  return Error{ErrorCode::kUnavailable, "the fleet port has stopped"};
}

void MemberGate::LogRefusal(const Error& why) {
  int64_t count = 0;
  {
    MutexLock lock(mutex_);
    ++unlogged_;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_log_) return;
    next_log_ = now + kLogInterval;
    count = std::exchange(unlogged_, 0);
  }
  log_.Info("fleet connection rejected", {{"error", why.message}, {"count", count}});
}

void MemberGate::Close() {
  MutexLock lock(mutex_);
  directory_ = nullptr;
}

}  // namespace outport::rpc
