#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/identity.h"

struct ssl_st;
struct ssl_ctx_st;

namespace outport {

// What a TLS server shows and whom it trusts; PEM.
struct ServerTlsOptions {
  std::string certificate_chain = {};
  std::string private_key = {};
  std::string client_authorities;  // roots and intermediates that client certificates may chain to
};

// An SSL_CTX for the registry's HTTPS: TLS 1.2 and 1.3 with a modern cipher list, no session
// tickets, a client certificate asked for with an empty CA list (or Go clients hold theirs back)
// and never refused in the handshake: PeerIdentity() says what came of it. Safe for several
// threads.
class ServerTlsContext {
 public:
  // kInvalidArgument names what is wrong with the certificate, the key or the authorities.
  static Result<std::shared_ptr<ServerTlsContext>> Create(const ServerTlsOptions& options);
  ~ServerTlsContext();
  ServerTlsContext(const ServerTlsContext&) = delete;
  ServerTlsContext& operator=(const ServerTlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }

 private:
  explicit ServerTlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// After the handshake of a ServerTlsContext's connection: who the peer is. kCertificateInvalid,
// with "No required SSL certificate was sent" if none came, else with the reason (expired, unknown
// authority, wrong role or usage, not of the fleet).
Result<CertificateIdentity> PeerIdentity(ssl_st* connection);

// The chain that the TLS server at `address` ("host:port") shows, leaf first, as PEM, unverified,
// for the one who then compares a fingerprint. kUnavailable names the address and the cause. Blocks
// for at most `timeout`, after the system's resolver, which has its own.
Result<std::vector<std::string>> FetchServerChain(const std::string& address,
                                                  std::chrono::milliseconds timeout);

}  // namespace outport
