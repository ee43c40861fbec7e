#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>

#include <memory>
#include <string>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/identity.h"

namespace outport::rpc {

// The largest message either side accepts: a manifest, or a chunk of a blob, and room around it.
inline constexpr int kMaxMessageBytes = 6 << 20;

// Keeps gRPC's library up until the process ends; Dial and FollowFilesAtServer do it themselves.
// Left alone it shuts down whenever its last object goes, which takes up to ten seconds.
void KeepLibrary();

// What a side of the fleet's port shows and whom it trusts; PEM.
struct TlsIdentity {
  std::string certificate_chain;  // leaf first; empty: none is shown (enrolment)
  std::string private_key;
  std::string authorities;  // the fleet's own: no public authority is trusted here

  ~TlsIdentity() { Wipe(private_key); }
};

// The same in files, which are read again when they change: what a node shows when it connects is
// what it renewed last. Safe for several threads; shared by the channels that use it.
struct TlsFiles {
  std::string certificate_chain;
  std::string private_key;
  std::string authorities;
};
std::shared_ptr<grpc::ChannelCredentials> FollowFiles(const TlsFiles& files);
std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                                    bool own_connection = false);

// A channel to the store's fleet port. Does not block; reconnects by itself with backoff.
// `own_connection`: not shared with other channels to the same address, for bulk transfers.
std::shared_ptr<grpc::Channel> Dial(const std::string& address, const TlsIdentity& identity,
                                    bool own_connection = false);

// For the fleet's port: asks callers for a certificate and verifies the one that comes; callers
// without one are let through to the methods, each of which checks its caller with RequireRole
// (enrolment alone does not). The files are read again when they change: connections that come
// later are shown what stands there then, and judged by it.
std::shared_ptr<grpc::ServerCredentials> FollowFilesAtServer(const TlsFiles& files);

// Who calls. kUnauthorized without a verified certificate of the fleet's `domain`, or with one that
// was revoked or has expired; kDenied in another role.
Result<CertificateIdentity> RequireRole(const grpc::ServerContextBase& context,
                                        std::string_view domain, Role role,
                                        const AccessDirectory& directory);

// Metadata that carries the id of a client's request from node to store.
inline constexpr char kRequestIdKey[] = "outport-request-id";
std::string RequestIdOf(const grpc::ServerContextBase& context);  // empty if there is none

}  // namespace outport::rpc
