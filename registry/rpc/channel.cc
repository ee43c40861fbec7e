#include "registry/rpc/channel.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security_constants.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "registry/rpc/peer_verifier.h"
#include "registry/security/pki/pki.h"

namespace outport::rpc {
namespace {

constexpr int kKeepaliveMs = 10000;
constexpr int kKeepaliveTimeoutMs = 5000;
constexpr int kMaxReconnectMs = 5000;
constexpr int kFirstReconnectMs = 200;
// The timeout of one attempt to connect. It allows about four round trips to another continent,
// with packet loss. It does not delay the next attempt: if the peer refuses the connection, gRPC
// tries again at once.
constexpr int kConnectMs = 4000;
constexpr unsigned kFilesPeriodSeconds = 2;

std::shared_ptr<grpc::experimental::CertificateProviderInterface> Watch(const TlsFiles& files) {
  KeepGrpcInitialized();
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.private_key, files.certificate_chain, files.authorities, kFilesPeriodSeconds);
}

// Returns the domain that the certificate of the store must have.
Result<std::string> FleetOf(const TlsIdentity& identity) {
  if (identity.certificate_chain.empty()) return identity.domain;
  TRY(CertificateIdentity own, pki::Inspect(identity.certificate_chain));
  return std::move(own.domain);
}

}  // namespace

void KeepGrpcInitialized() { [[maybe_unused]] static const bool kUp = (grpc_init(), true); }

std::shared_ptr<grpc::ChannelCredentials> ReloadingChannelCredentials(const TlsFiles& files,
                                                                      const std::string& domain) {
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(Watch(files));
  tls.set_certificate_verifier(StoreVerifier(domain));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(tls);
}

std::shared_ptr<grpc::Channel> Dial(const std::string& address, const TlsIdentity& identity,
                                    bool own_connection) {
  KeepGrpcInitialized();
  std::vector<grpc::experimental::IdentityKeyCertPair> shown;
  if (!identity.certificate_chain.empty()) {
    shown.push_back({identity.private_key, identity.certificate_chain});
  }
  grpc::experimental::TlsChannelCredentialsOptions tls;
  tls.set_certificate_provider(std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
      identity.authorities, shown));
  tls.set_certificate_verifier(StoreVerifier(FleetOf(identity)));
  tls.watch_root_certs();
  if (!shown.empty()) tls.watch_identity_key_cert_pairs();
  for (auto& pair : shown) Wipe(pair.private_key);
  return Dial(address, grpc::experimental::TlsCredentials(tls), own_connection);
}

std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                    bool own_connection) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kMaxReconnectMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

std::shared_ptr<grpc::ServerCredentials> ReloadingServerCredentials(
    const TlsFiles& files, std::shared_ptr<MemberGate> gate) {
  grpc::experimental::TlsServerCredentialsOptions tls(Watch(files));
  tls.watch_root_certs();
  tls.watch_identity_key_cert_pairs();
  tls.set_cert_request_type(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.set_certificate_verifier(MemberVerifier(std::move(gate)));
  return grpc::experimental::TlsServerCredentials(tls);
}

Result<CertificateIdentity> RequireRole(const grpc::ServerContextBase& context,
                                        std::string_view domain, Role role,
                                        const AccessDirectory& directory) {
  const auto auth = context.auth_context();
  const auto shown = auth->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!auth->IsPeerAuthenticated() || shown.size() != 1) {
    return Error{ErrorCode::kUnauthorized,
                 "this call needs a certificate of the fleet in the role '" +
                     std::string(ToString(role)) + "'; the caller sent no certificate"};
  }
  // Check the validity again, because a connection may last longer than the certificate that it
  // began with.
  TRY(CertificateIdentity identity,
      InspectValid({shown.front().data(), shown.front().size()}, "the caller's certificate"));
  if (identity.domain != domain || identity.role != role) {
    return Error{ErrorCode::kDenied, "this call needs a certificate in the role '" +
                                         std::string(ToString(role)) + "' of the domain '" +
                                         std::string(domain) + "'; the caller is " +
                                         ToSpiffeId(identity.domain, identity.role, identity.name)};
  }
  if (!directory.IsRevoked(identity)) return identity;
  return Error{ErrorCode::kUnauthorized, "the caller's certificate (serial " + identity.serial +
                                             ") was revoked; use another certificate"};
}

std::string RequestIdOf(const grpc::ServerContextBase& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kRequestIdKey);
  return found == metadata.end() ? std::string()
                                 : std::string(found->second.data(), found->second.size());
}

}  // namespace outport::rpc
