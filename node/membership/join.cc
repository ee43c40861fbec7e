#include "node/membership/join.h"

#include <grpcpp/client_context.h>

#include "node/membership/config.h"
#include "node/membership/node_format.h"
#include "node/membership/node_identity.h"
#include "outport/v1/enrollment.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/base/settings.h"
#include "registry/rpc/channel.h"
#include "registry/rpc/peer_verifier.h"
#include "registry/rpc/status.h"
#include "registry/security/pki/invitation.h"
#include "registry/security/pki/pki.h"
#include "registry/security/tls/tls.h"

namespace outport::node {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecretMode = 0600;
constexpr unsigned kPublicMode = 0644;

struct Keys {
  std::string identity;
  std::string server;
};

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Returns the text as a double-quoted YAML scalar.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string MakeConfig(const JoinOptions& options, const InvitationToken& token) {
  return "# Node '" + token.node + "' of the fleet of " + token.store_address + ".\n" +
         "data: " + Quoted(fs::absolute(options.data).lexically_normal().native()) + "\n" +
         "store: " + Quoted(token.store_address) + "\n" +
         "registry: {listen: " + Quoted(options.registry_listen) + "}\n" +
         "operations: {listen: " + Quoted(options.operations_listen) + "}\n" +
         "log: {level: info}\n";
}

// Checks whether the bundle contains the root that the token pins.
Result<bool> HasRoot(const std::string& authorities, const InvitationToken& token) {
  TRY(const std::vector<std::string> certificates, pki::SplitCertificates(authorities));
  for (const std::string& certificate : certificates) {
    TRY(const std::string fingerprint, pki::Fingerprint(certificate));
    if (fingerprint == token.root_fingerprint) return true;
  }
  return false;
}

// Checks that the token is for the node of this folder, and for that node's fleet.
Result<void> CheckSameNode(const JoinOptions& options, const InvitationToken& token) {
  TRY(const NodeIdentity joined, LoadNodeIdentity(options.data));
  TRY(const bool same, HasRoot(joined.tls.authorities, token));
  if (same && joined.name == token.node) return {};
  return Error{ErrorCode::kAlreadyExists, options.data.native() + " belongs to node '" +
                                              joined.name + "', but the token is for node '" +
                                              token.node + (same ? "'" : "' of another fleet") +
                                              "; join with another --data"};
}

Result<void> CheckNotJoined(const JoinOptions& options, const InvitationToken& token,
                            const fs::path& config, const std::string& content) {
  const fs::path certificate = options.data / "pki" / "identity.crt";
  if (Exists(certificate)) {
    if (options.replace) return CheckSameNode(options, token);
    const auto pem = ReadWholeFile(certificate);
    const auto identity = pem.has_value() ? pki::Inspect(*pem) : pem.error();
    const std::string name = identity.has_value() ? " as '" + identity->name + "'" : "";
    return Error{ErrorCode::kAlreadyExists,
                 options.data.native() + " has already joined a fleet" + name +
                     "; start it with 'outport-node serve', join again with --replace if its "
                     "certificates are expired or revoked, or join with another --data"};
  }
  const auto present = ReadWholeFile(config);
  if (present.has_value() ? *present == content : present.error().code == ErrorCode::kNotFound) {
    return {};
  }
  return Error{ErrorCode::kAlreadyExists,
               config.native() +
                   " already exists with other content; delete it, or name another file with "
                   "--config-out"};
}

// Finds errors before Join() uses the token, because a token can be used only once.
Result<void> CheckConfig(const JoinOptions& options, const fs::path& config,
                         const std::string& content) {
  const auto valid = ParseConfig(content, config.filename());
  if (!valid.has_value()) {
    return Error{ErrorCode::kInvalidArgument,
                 "these options give an invalid configuration (the token was not used): " +
                     valid.error().message};
  }
  const fs::path folder = fs::absolute(config).lexically_normal().parent_path();
  const fs::path data = fs::absolute(options.data).lexically_normal();
  if (folder / "" == data / "") return {};  // Join() creates the data folder
  const Result<void> possible = CheckReplaceable(config);
  if (possible.has_value()) return {};
  return Error{possible.error().code,
               possible.error().message + "; create its folder, or choose another --config-out"};
}

// Returns the key of an earlier attempt. If there is none, creates a key and saves it before any
// use.
Result<std::string> LoadOrCreateKey(const fs::path& path, pki::KeyType type) {
  Result<std::string> kept = ReadSecretFile(path);
  if (kept.has_value() || kept.error().code != ErrorCode::kNotFound) return kept;
  std::string key = pki::CreatePrivateKey(type);
  TRY_VOID(ReplaceFile(path, key, kSecretMode));
  return key;
}

// Reports a wrong clock. Without this check, gRPC would report only that OpenSSL could not verify
// the store's certificate.
Result<void> CheckClock(const std::string& leaf) {
  TRY(const pki::Description shown, pki::Describe(leaf));
  const auto now = std::chrono::system_clock::now();
  if (shown.not_before <= now && now < shown.not_after) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the store's certificate is valid from " + FormatTime(shown.not_before) + " to " +
                   FormatTime(shown.not_after) + ", but this machine's clock says " +
                   FormatTime(now) + "; set the clock that is wrong (the token was not used)"};
}

// The fleet, as the token and the server at its address describe it.
struct Fleet {
  std::string root;    // PEM
  std::string domain;  // in the certificate that the server showed
};

// Refuses a server that is not the store: another member of the fleet shows the same root.
// Enroll() verifies the certificate.
Result<Fleet> CheckStore(const InvitationToken& token, const std::string& root,
                         const std::string& leaf) {
  const Result<CertificateIdentity> shown = pki::Inspect(leaf);
  if (shown.has_value() && shown->role == Role::kStore) return Fleet{root, shown->domain};
  return Error{ErrorCode::kDenied,
               "the server at " + token.store_address + " is not the store: " +
                   (shown.has_value() ? "its certificate is for " +
                                            ToSpiffeId(shown->domain, shown->role, shown->name)
                                      : shown.error().message) +
                   "; the token was not sent; check the address, and that nobody intercepts the "
                   "connection"};
}

// Fetches the fleet's root over an unauthenticated connection. The fingerprint in the token proves
// that the root is genuine.
Result<Fleet> FetchFleet(const InvitationToken& token, std::chrono::milliseconds timeout) {
  TRY(const std::vector<std::string> chain, FetchServerChain(token.store_address, timeout));
  for (const std::string& certificate : chain) {
    TRY(const std::string fingerprint, pki::Fingerprint(certificate));
    if (fingerprint != token.root_fingerprint) continue;
    TRY_VOID(CheckClock(chain.front()));
    return CheckStore(token, certificate, chain.front());
  }
  return Error{
      ErrorCode::kDenied,
      "the server at " + token.store_address +
          " does not belong to the fleet of this token: no certificate in its chain has "
          "the fingerprint in the token; the fleet may have replaced its root, or somebody "
          "intercepts the connection; the token was not sent; check the address, and ask "
          "for a new token"};
}

// Sends the token. The handshake before it verifies that the server is the store of the fleet,
// under the root that the token pins.
Result<v1::EnrollResponse> Enroll(const InvitationToken& token, const Keys& keys,
                                  const Fleet& fleet, std::chrono::milliseconds timeout) {
  v1::EnrollRequest request;
  request.set_secret(token.secret);
  TRY(*request.mutable_identity_request(), pki::CreateRequest(keys.identity));
  TRY(*request.mutable_server_request(), pki::CreateRequest(keys.server));
  const auto stub =
      v1::Enrollment::NewStub(rpc::Dial(token.store_address, {"", "", fleet.root, fleet.domain}));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::EnrollResponse response;
  const grpc::Status status = stub->Enroll(&context, request, &response);
  if (const size_t refused = status.error_message().find(rpc::kNotTheStore);
      !status.ok() && refused != std::string::npos) {
    return Error{ErrorCode::kDenied, "joining at " + token.store_address + ": " +
                                         status.error_message().substr(refused) +
                                         "; the token was not sent; check the address, and that "
                                         "nobody intercepts the connection"};
  }
  if (!status.ok()) return rpc::FromStatus(status, "joining at " + token.store_address);
  return response;
}

// Checks the certificates against our keys and the token, before Join() writes them.
Result<void> CheckAnswer(const InvitationToken& token, const Keys& keys, const Fleet& fleet,
                         const v1::EnrollResponse& answer) {
  TRY(const CertificateIdentity identity, pki::Inspect(answer.identity_certificate()));
  TRY(const bool same, HasRoot(answer.authorities(), token));
  const bool ours = identity.role == Role::kNode && identity.domain == fleet.domain;
  if (!ours || identity.name != token.node || !same) {
    return Error{ErrorCode::kCorrupt, "the store issued certificates that are not for node '" +
                                          token.node + "' of its fleet"};
  }
  TRY(const auto server,
      ServerTlsContext::Create(
          {answer.server_certificate(), keys.server, {.fleet = answer.authorities()}}));
  TRY_VOID(pki::CheckKeyPair(answer.identity_certificate(), keys.identity));
  return {};
}

}  // namespace

Result<Joined> Join(const JoinOptions& options) {
  TRY(const InvitationToken token, InvitationToken::Decode(options.token));
  TRY(const pki::KeyType key_type, pki::ParseKeyType(options.key_type));
  const fs::path config =
      options.config_out.empty() ? options.data / "node.yml" : options.config_out;
  const std::string content = MakeConfig(options, token);
  TRY_VOID(CheckConfig(options, config, content));
  TRY(const DataFormat format, DataFormat::Read(options.data, kNodeFormats));
  PosixFileSystem files;
  const fs::path folder = options.data / "pki";
  const Result<void> made = files.CreateDirectories(folder);
  if (!made.has_value()) {
    return Error{made.error().code, made.error().message + "; choose another --data"};
  }
  TRY(const FolderLock lock, FolderLock::Acquire(options.data));
  TRY_VOID(CheckNotJoined(options, token, config, content));

  TRY(const Fleet fleet, FetchFleet(token, options.timeout));
  Keys keys;
  TRY(keys.identity, LoadOrCreateKey(folder / "identity.key", key_type));
  TRY(keys.server, LoadOrCreateKey(folder / "server.key", key_type));
  TRY(const v1::EnrollResponse answer, Enroll(token, keys, fleet, options.timeout));
  TRY_VOID(CheckAnswer(token, keys, fleet, answer));

  TRY_VOID(ReplaceFile(folder / "authorities.crt", answer.authorities(), kPublicMode));
  TRY_VOID(ReplaceFile(folder / "server.crt", answer.server_certificate(), kPublicMode));
  if (!options.replace || !Exists(config)) TRY_VOID(ReplaceFile(config, content, kPublicMode));
  if (!Exists(options.data / "meta")) {
    TRY_VOID(DataFormat::Create(options.data, kNodeFormats, options.version));
  }
  TRY_VOID(ReplaceFile(folder / "identity.crt", answer.identity_certificate(), kPublicMode));
  return Joined{token.node, token.store_address, config};
}

}  // namespace outport::node
