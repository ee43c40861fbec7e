#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/tls/client_trust.h"

struct ssl_st;
struct ssl_ctx_st;

namespace outport {

class AccessDirectory;

// The certificate of a TLS server, and the authorities of the clients that it trusts, as PEM.
struct ServerTlsOptions {
  std::string certificate_chain = {};
  std::string private_key = {};
  ClientTrustOptions trust = {};

  ~ServerTlsOptions() { Wipe(private_key); }
  bool operator==(const ServerTlsOptions&) const = default;
};

// An SSL_CTX for the registry's HTTPS: TLS 1.2 and 1.3, a modern cipher list, no session tickets.
// Unless ClientAuth is kOff, it requests a client certificate. The request lists no CA names,
// because a Go client sends no certificate if the list does not contain its issuer. With kStrict,
// the handshake rejects an invalid certificate. Otherwise the handshake succeeds, and
// PeerIdentity() returns the rejection. Safe for several threads.
class ServerTlsContext {
 public:
  // kInvalidArgument explains a problem with the certificate, the key or the authorities.
  static Result<std::shared_ptr<ServerTlsContext>> Create(const ServerTlsOptions& options);
  ~ServerTlsContext();
  ServerTlsContext(const ServerTlsContext&) = delete;
  ServerTlsContext& operator=(const ServerTlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }
  const ClientTrust& trust() const { return trust_; }

  // Returns the peer of a connection after its handshake, verified against the authorities of this
  // context. An earlier context may have made the connection. The name is empty if the peer sent no
  // certificate and needs none. kCertificateInvalid if a required certificate is missing ("No
  // required SSL certificate was sent"), or with the errors of ClientTrust::Identify().
  Result<CertificateIdentity> PeerIdentity(ssl_st* connection,
                                           std::chrono::system_clock::time_point now) const;

 private:
  ServerTlsContext(ssl_ctx_st* context, ClientTrust trust)
      : context_(context), trust_(std::move(trust)) {}
  ssl_ctx_st* context_;
  const ClientTrust trust_;  // the handshakes of context_ use it
};

// With kStrict, makes the handshake of `connection` also reject certificates that are revoked in
// `directory`. Call this before the handshake. `directory` must outlive the connection.
void RejectRevoked(ssl_st* connection, const AccessDirectory& directory);

// Returns why the handshake rejected the client's certificate, or an empty text if it did not.
std::string HandshakeRejection(ssl_st* connection);

// Fetches the certificate chain of the TLS server at `address` ("host:port"): PEM, leaf first. Does
// not verify the chain, so the caller must compare a fingerprint. kUnavailable names the address
// and the cause. Blocks for at most `timeout`, plus the timeouts of the system's resolver.
Result<std::vector<std::string>> FetchServerChain(const std::string& address,
                                                  std::chrono::milliseconds timeout);

}  // namespace outport
