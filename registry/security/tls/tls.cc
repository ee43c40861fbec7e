#include "registry/security/tls/tls.h"

#include <utility>

#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/openssl.h"

namespace outport {
namespace {

using openssl::LibraryError;

// Only ciphers with forward secrecy and authenticated encryption. TLS 1.3 has its own list of
// ciphers.
constexpr char kTls12Ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr int kMaxChainBytes = 32 << 10;
constexpr unsigned char kSessionContext[] = "outport";

// RejectRevoked() stores the directory at this index of a connection's extra data.
int DirectoryIndex() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

// The code for a certificate that the fleet revoked. The client sees the alert "bad certificate".
// (X509_V_ERR_CERT_REVOKED is for revocations in a CRL.)
constexpr int kRevokedByFleet = X509_V_ERR_CERT_REJECTED;

bool IsRevoked(X509_STORE_CTX* peer, const CertificateIdentity& holder) {
  const auto* connection = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(peer, SSL_get_ex_data_X509_STORE_CTX_idx()));
  const auto* directory =
      static_cast<const AccessDirectory*>(SSL_get_ex_data(connection, DirectoryIndex()));
  return directory != nullptr && directory->IsRevoked(holder);
}

// Without kStrict, the handshake accepts any certificate and only proves that the client has its
// key. The server then rejects an invalid certificate in an HTTP response, which can explain the
// reason. A failed handshake cannot.
int VerifyPeer(X509_STORE_CTX* peer, void* context) {
  const ClientTrust& trust = static_cast<const ServerTlsContext*>(context)->trust();
  int code = X509_V_OK;
  if (trust.auth() == ClientAuth::kStrict) {
    CertificateIdentity holder;
    code = trust.Verify(X509_STORE_CTX_get0_cert(peer), X509_STORE_CTX_get0_untrusted(peer),
                        std::chrono::system_clock::now(), &holder);
    if (code == X509_V_OK && IsRevoked(peer, holder)) code = kRevokedByFleet;
  }
  X509_STORE_CTX_set_error(peer, code);  // HandshakeRejection() reads it
  return code == X509_V_OK ? 1 : 0;
}

int VerifyMode(ClientAuth auth) {
  switch (auth) {
    case ClientAuth::kOff:
      return SSL_VERIFY_NONE;
    case ClientAuth::kStrict:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    case ClientAuth::kRequire:
    case ClientAuth::kOptional:
      return SSL_VERIFY_PEER;
  }
  std::unreachable();
}

Result<void> UseIdentity(SSL_CTX* context, const ServerTlsOptions& options) {
  TRY(const auto chain, openssl::ReadCertificates(options.certificate_chain));
  TRY(const auto key, openssl::ReadPrivateKey(options.private_key));
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    return LibraryError("the server's certificate", ErrorCode::kInvalidArgument);
  }
  for (size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return LibraryError("the server's certificate chain", ErrorCode::kInvalidArgument);
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument,
                 "the server's private key does not belong to its certificate"};
  }
  return {};
}

Result<void> SetPolicy(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kMaxChainBytes);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kTls12Ciphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1 ||
      // Send no session tickets, because most clients never use them.
      SSL_CTX_set_num_tickets(context, 0) != 1 ||
      SSL_CTX_set_session_id_context(context, kSessionContext, sizeof(kSessionContext) - 1) != 1) {
    return LibraryError("setting up TLS");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<ServerTlsContext>> ServerTlsContext::Create(
    const ServerTlsOptions& options) {
  openssl::ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return LibraryError("setting up TLS");
  TRY_VOID(SetPolicy(context.get()));
  TRY_VOID(UseIdentity(context.get(), options));
  TRY(ClientTrust trust, ClientTrust::Create(options.trust));
  ERR_clear_error();
  // This cannot use make_shared, because the constructor is private.
  const std::shared_ptr<ServerTlsContext> made(
      new ServerTlsContext(context.release(), std::move(trust)));
  // Set no CA list, because a Go client sends no certificate if the list does not contain its
  // issuer.
  SSL_CTX_set_verify(made->native(), VerifyMode(options.trust.auth), nullptr);
  SSL_CTX_set_cert_verify_callback(made->native(), VerifyPeer, made.get());
  return made;
}

ServerTlsContext::~ServerTlsContext() { SSL_CTX_free(context_); }

Result<CertificateIdentity> ServerTlsContext::PeerIdentity(
    ssl_st* connection, std::chrono::system_clock::time_point now) const {
  if (trust_.auth() == ClientAuth::kOff) return CertificateIdentity{};
  X509* leaf = SSL_get0_peer_certificate(connection);
  if (leaf != nullptr) return trust_.Identify(leaf, SSL_get_peer_cert_chain(connection), now);
  if (trust_.auth() == ClientAuth::kOptional) return CertificateIdentity{};
  return Error{ErrorCode::kCertificateInvalid, "No required SSL certificate was sent"};
}

void RejectRevoked(ssl_st* connection, const AccessDirectory& directory) {
  // OpenSSL stores a non-const pointer. IsRevoked() casts the pointer back to const.
  SSL_set_ex_data(connection, DirectoryIndex(), const_cast<AccessDirectory*>(&directory));
}

std::string HandshakeRejection(ssl_st* connection) {
  const auto code = static_cast<int>(SSL_get_verify_result(connection));
  if (code == kRevokedByFleet) {
    return "it was revoked; ask an administrator for a new one (outportctl cert issue)";
  }
  return code == X509_V_OK ? std::string() : ClientTrust::Explain(code);
}

}  // namespace outport
