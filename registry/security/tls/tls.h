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

// The certificate of a TLS server, and the clients that it trusts; PEM.
struct ServerTlsOptions {
  std::string certificate_chain = {};
  std::string private_key = {};
  ClientTrustOptions trust = {};

  ~ServerTlsOptions() { Wipe(private_key); }
  bool operator==(const ServerTlsOptions&) const = default;
};

// An SSL_CTX for the registry's HTTPS: TLS 1.2 and 1.3, a modern cipher list, no session tickets.
// Unless ClientAuth is kOff, it requests a client certificate. The CA list in the request is empty,
// because Go clients otherwise send no certificate. Only with kStrict does the handshake reject
// certificates; otherwise PeerIdentity() reports the result. Safe for several threads.
class ServerTlsContext {
 public:
  // kInvalidArgument explains a problem with the certificate, the key or the authorities.
  static Result<std::shared_ptr<ServerTlsContext>> Create(const ServerTlsOptions& options);
  ~ServerTlsContext();
  ServerTlsContext(const ServerTlsContext&) = delete;
  ServerTlsContext& operator=(const ServerTlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }
  const ClientTrust& trust() const { return trust_; }

  // The peer of a connection after its handshake, by the trust of this context. The connection may
  // be of an earlier context. The name is empty if no certificate was sent and none is required.
  // kCertificateInvalid: "No required SSL certificate was sent", or as ClientTrust::Identify().
  Result<CertificateIdentity> PeerIdentity(ssl_st* connection,
                                           std::chrono::system_clock::time_point now) const;

 private:
  ServerTlsContext(ssl_ctx_st* context, ClientTrust trust)
      : context_(context), trust_(std::move(trust)) {}
  ssl_ctx_st* context_;
  const ClientTrust trust_;  // the handshakes of context_ use it
};

// With kStrict, makes the handshake of `connection` also reject certificates that `directory` has
// as revoked. Call it before the handshake; the directory outlives it.
void RejectRevoked(ssl_st* connection, const AccessDirectory& directory);

// Why the handshake rejected the client's certificate; empty if it did not.
std::string HandshakeRejection(ssl_st* connection);

// Fetches the certificate chain of the TLS server at `address` ("host:port"): PEM, leaf first,
// unverified. The caller must compare a fingerprint. kUnavailable names the address and the cause.
// Blocks for at most `timeout`, plus the timeouts of the system's resolver.
Result<std::vector<std::string>> FetchServerChain(const std::string& address,
                                                  std::chrono::milliseconds timeout);

}  // namespace outport
