#include "registry/security/tls.h"

#include <openssl/x509v3.h>

#include "registry/security/openssl.h"

namespace outport {
namespace {

using openssl::LibraryError;

// Forward secrecy and authenticated encryption only; TLS 1.3 has its own list.
constexpr char kTls12Ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr int kMaxChainBytes = 32 << 10;
constexpr int kMaxChainDepth = 3;
constexpr unsigned char kSessionContext[] = "outport";

// Where a connection remembers the first thing that was wrong with its peer's chain.
int FirstErrorIndex() {
  static const int kIndex = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

// Accepts everything: a refusal in the handshake would tell the client nothing. The verdict is
// PeerIdentity's. The first error says most; OpenSSL itself keeps the last.
int RecordVerification(int good, X509_STORE_CTX* store) {
  if (good == 1) return 1;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (SSL_get_ex_data(ssl, FirstErrorIndex()) == nullptr) {
    const intptr_t error = X509_STORE_CTX_get_error(store);
    // OpenSSL's slot is a pointer; nothing is ever read through it.
    SSL_set_ex_data(ssl, FirstErrorIndex(),
                    reinterpret_cast<void*>(error));  // NOLINT(performance-no-int-to-ptr)
  }
  return 1;
}

long VerificationError(SSL* ssl) {
  const auto first = reinterpret_cast<intptr_t>(SSL_get_ex_data(ssl, FirstErrorIndex()));
  return first != X509_V_OK ? static_cast<long>(first) : SSL_get_verify_result(ssl);
}

Error Refusal(std::string_view why) {
  return Error{ErrorCode::kCertificateInvalid,
               "The SSL certificate is not accepted: " + std::string(why)};
}

std::string Explain(long error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "it has expired; ask an administrator for a new one (outportctl cert issue)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "it is not yet valid; check the clocks of both machines";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "it is of an unknown authority, not of this fleet";
    case X509_V_ERR_INVALID_PURPOSE:
      return "it is not for clients (extended key usage)";
    default:
      return X509_verify_cert_error_string(error);
  }
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

Result<void> TrustAuthorities(SSL_CTX* context, const std::string& authorities) {
  auto certificates = openssl::ReadCertificates(authorities);
  if (!certificates.has_value()) {
    return std::move(certificates).error().Within("the authorities of clients");
  }
  for (const auto& certificate : *certificates) {
    if (X509_check_ca(certificate.get()) == 0) {
      return Error{ErrorCode::kInvalidArgument,
                   "the authorities of clients: one of them is no CA certificate"};
    }
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) != 1) {
      return LibraryError("the authorities of clients", ErrorCode::kInvalidArgument);
    }
  }
  return {};
}

Result<void> SetPolicy(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, kMaxChainBytes);
  SSL_CTX_set_verify_depth(context, kMaxChainDepth);
  // No CA list is set: Go clients hold their certificate back unless its issuer is listed.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, RecordVerification);
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_cipher_list(context, kTls12Ciphers) != 1 ||
      SSL_CTX_set1_groups_list(context, kGroups) != 1 ||
      // Most clients open a connection for every request; a ticket for each is work for nothing.
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
  TRY_VOID(TrustAuthorities(context.get(), options.client_authorities));
  ERR_clear_error();
  // The constructor is private: make_shared cannot reach it.
  return std::shared_ptr<ServerTlsContext>(new ServerTlsContext(context.release()));
}

ServerTlsContext::~ServerTlsContext() { SSL_CTX_free(context_); }

Result<CertificateIdentity> PeerIdentity(ssl_st* connection) {
  X509* leaf = SSL_get0_peer_certificate(connection);
  if (leaf == nullptr) {
    return Error{ErrorCode::kCertificateInvalid, "No required SSL certificate was sent"};
  }
  if (const long error = VerificationError(connection); error != X509_V_OK) {
    return Refusal(Explain(error));
  }
  // Absent usages would mean "any"; ours are always there.
  if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0 ||
      (X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT) == 0) {
    return Refusal(Explain(X509_V_ERR_INVALID_PURPOSE));
  }
  auto identity = openssl::IdentityOf(leaf);
  if (!identity.has_value()) return Refusal(identity.error().message);
  if (identity->role != Role::kClient) {
    return Refusal("it is of the role '" + std::string(ToString(identity->role)) +
                   "'; the registry takes 'client' (outportctl cert issue " + identity->name + ")");
  }
  return identity;
}

}  // namespace outport
