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

// What a TLS server shows and whom it trusts; PEM.
struct ServerTlsOptions {
  std::string certificate_chain = {};
  std::string private_key = {};
  ClientTrustOptions trust = {};

  ~ServerTlsOptions() { Wipe(private_key); }
  bool operator==(const ServerTlsOptions&) const = default;
};

// An SSL_CTX for the registry's HTTPS: TLS 1.2 and 1.3 with a modern cipher list, no session
// tickets, and a client certificate asked for, unless that is off, with an empty CA list (or Go
// clients hold theirs back). Except where it is to be strict the handshake refuses none:
// PeerIdentity() says what came of it. Safe for several threads.
class ServerTlsContext {
 public:
  // kInvalidArgument names what is wrong with the certificate, the key or the authorities.
  static Result<std::shared_ptr<ServerTlsContext>> Create(const ServerTlsOptions& options);
  ~ServerTlsContext();
  ServerTlsContext(const ServerTlsContext&) = delete;
  ServerTlsContext& operator=(const ServerTlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }
  const ClientTrust& trust() const { return trust_; }

  // After the handshake of a connection, of this context or of an earlier one: who its peer is, by
  // what is trusted here. Of no name if no certificate came and none need come.
  // kCertificateInvalid: "No required SSL certificate was sent", or as ClientTrust::Judge() says.
  Result<CertificateIdentity> PeerIdentity(ssl_st* connection,
                                           std::chrono::system_clock::time_point now) const;

 private:
  ServerTlsContext(ssl_ctx_st* context, ClientTrust trust)
      : context_(context), trust_(std::move(trust)) {}
  ssl_ctx_st* context_;
  const ClientTrust trust_;  // the handshakes of context_ use it
};

// Lets the handshake of `connection`, where it is strict, refuse certificates that `directory`
// knows to be revoked, too. Before the handshake; the directory outlives it.
void RefuseRevoked(ssl_st* connection, const AccessDirectory& directory);

// Why a handshake refused the certificate that the client sent; empty if it did not.
std::string HandshakeRefusal(ssl_st* connection);

// The chain that the TLS server at `address` ("host:port") shows, leaf first, as PEM, unverified,
// for the one who then compares a fingerprint. kUnavailable names the address and the cause. Blocks
// for at most `timeout`, after the system's resolver, which has its own.
Result<std::vector<std::string>> FetchServerChain(const std::string& address,
                                                  std::chrono::milliseconds timeout);

}  // namespace outport
