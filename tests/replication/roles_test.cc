#include <grpc/grpc_security.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <optional>

#include "outport/v1/push.grpc.pb.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

// One method of the services for nodes, and the status for a member and for a removed node.
struct Method {
  const char* name;
  std::function<grpc::Status(const std::shared_ptr<grpc::Channel>&, grpc::ClientContext&)> call;
  grpc::StatusCode to_node = grpc::OK;
  grpc::StatusCode to_removed = grpc::PERMISSION_DENIED;
};

// The status of a call: some responses carry the error as a field.
template <class Response>
grpc::Status StatusOf(const grpc::Status& status, const Response& response) {
  if constexpr (requires { response.refusal(); }) {
    if (response.has_refusal()) {
      const ErrorTraits* traits = FindErrorTraits(response.refusal().code());
      return {static_cast<grpc::StatusCode>(traits->grpc_status), response.refusal().message()};
    }
  }
  return status;
}

template <class Service, class Stub, class Request, class Response>
Method Unary(const char* name,
             grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
             const Request& request) {
  return {name, [method, request](const auto& channel, grpc::ClientContext& context) {
            const auto stub = Service::NewStub(channel);
            Response response;
            const grpc::Status status = (stub.get()->*method)(&context, request, &response);
            return StatusOf(status, response);
          }};
}

// A write without a user's password: every caller fails there at the latest.
template <class Request, class Response>
Method Write(const char* name, grpc::Status (v1::Push::Stub::*method)(grpc::ClientContext*,
                                                                      const Request&, Response*)) {
  Method write = Unary<v1::Push>(name, method, Request());
  write.to_node = grpc::UNAUTHENTICATED;
  write.to_removed = grpc::UNAVAILABLE;
  return write;
}

grpc::Status CallUpload(const std::shared_ptr<grpc::Channel>& channel,
                        grpc::ClientContext& context) {
  const auto stub = v1::Push::NewStub(channel);
  const auto stream = stub->Upload(&context);
  v1::UploadPart header;
  header.mutable_header();
  stream->Write(header);
  v1::UploadAnswer answer;
  while (stream->Read(&answer)) {
  }
  return stream->Finish();
}

// Reads all messages of a stream.
grpc::Status CallReadBlob(const std::shared_ptr<grpc::Channel>& channel,
                          grpc::ClientContext& context, const v1::ReadBlobRequest& request) {
  const auto stub = v1::Replication::NewStub(channel);
  const auto reader = stub->ReadBlob(&context, request);
  v1::BlobChunk chunk;
  while (reader->Read(&chunk)) {
  }
  return reader->Finish();
}

// Reads one message: a stream with a Welcome does not end by itself.
grpc::Status CallSync(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context) {
  const auto stub = v1::Replication::NewStub(channel);
  const auto stream = stub->Sync(&context);
  v1::NodeMessage hello;
  hello.mutable_hello()->set_version("test");
  stream->Write(hello);
  v1::StoreMessage message;
  const bool welcomed = stream->Read(&message);
  if (welcomed) context.TryCancel();
  while (stream->Read(&message)) {
  }
  const grpc::Status status = stream->Finish();
  return welcomed ? grpc::Status::OK : status;
}

class RolesTest : public FleetTest {
 protected:
  // Every method of every service that nodes call.
  std::vector<Method> Methods() {
    const TestStore::Image image = store_->PublishImage(kApp, "first");
    v1::ResolveRequest resolve;
    resolve.set_repository(kApp);
    resolve.set_reference(image.digest.ToString());
    v1::GetManifestRequest manifest;
    manifest.set_repository(kApp);
    manifest.set_digest(image.digest.ToString());
    v1::ReadBlobRequest blob;
    blob.set_repository(kApp);
    blob.set_digest(image.blobs[0].ToString());
    using Replication = v1::Replication::Stub;
    return {
        {"Sync", CallSync},
        Unary<v1::Replication>("Resolve", &Replication::Resolve, resolve),
        Unary<v1::Replication>("GetManifest", &Replication::GetManifest, manifest),
        {"ReadBlob", [blob](const auto& channel,
                            auto& context) { return CallReadBlob(channel, context, blob); }},
        Unary<v1::Replication>("ReportPulls", &Replication::ReportPulls, v1::ReportPullsRequest()),
        Write("PutManifest", &v1::Push::Stub::PutManifest),
        Write("DeleteManifest", &v1::Push::Stub::DeleteManifest),
        Write("DeleteBlob", &v1::Push::Stub::DeleteBlob),
        Write("MountBlob", &v1::Push::Stub::MountBlob),
        Write("StartUpload", &v1::Push::Stub::StartUpload),
        Write("StatUpload", &v1::Push::Stub::StatUpload),
        Write("CancelUpload", &v1::Push::Stub::CancelUpload),
        {"Upload", CallUpload, grpc::UNAUTHENTICATED, grpc::UNAVAILABLE},
    };
  }
  rpc::TlsIdentity Nobody() const {
    rpc::TlsIdentity nobody = identity_;
    nobody.certificate_chain.clear();
    nobody.private_key.clear();
    return nobody;
  }
};

TEST_F(RolesTest, I6OnlyNodesOfTheFleetAskTheStore) {
  struct Caller {
    const char* name;
    rpc::TlsIdentity identity;
    std::optional<grpc::StatusCode> code;  // nullopt: the status of the method's row
    grpc::StatusCode Method::* of_method = nullptr;
  };
  const auto now = std::chrono::system_clock::now();
  const Caller kCallers[] = {
      {"nobody", Nobody(), grpc::UNAUTHENTICATED},
      {"a client", authority_.Issue(Role::kClient, "eu-west"), grpc::PERMISSION_DENIED},
      {"an administrator", authority_.Issue(Role::kAdmin, "eu-west"), grpc::PERMISSION_DENIED},
      {"the store", authority_.Issue(Role::kStore, "eu-west"), grpc::PERMISSION_DENIED},
      {"a node that was removed", authority_.Issue(Role::kNode, "gone"), std::nullopt,
       &Method::to_removed},
      {"a node whose certificate has expired",
       authority_.IssueBetween(Role::kNode, "eu-west", now - 48h, now - 1h), grpc::UNAVAILABLE},
      {"a node whose certificate is not yet valid",
       authority_.IssueBetween(Role::kNode, "eu-west", now + 1h, now + 48h), grpc::UNAVAILABLE},
      {"another fleet's node", TestAuthority().Issue(Role::kNode, "eu-west"), grpc::UNAVAILABLE},
      {"a node", identity_, std::nullopt, &Method::to_node},
  };
  const std::vector<Method> methods = Methods();
  const auto* replication = v1::StoreMessage::descriptor()->file()->service(0);
  const auto* push = v1::UploadPart::descriptor()->file()->service(0);
  EXPECT_EQ(methods.size(), static_cast<size_t>(replication->method_count() + push->method_count()))
      << "a method is not in the table";
  for (const Caller& caller : kCallers) {
    const auto channel = rpc::Dial(store_->address(), caller.identity, true);
    for (const Method& method : methods) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + 20s);
      const grpc::Status status = method.call(channel, context);
      EXPECT_EQ(status.error_code(), caller.code ? *caller.code : method.*caller.of_method)
          << caller.name << " " << method.name << ": " << status.error_message();
    }
  }
}

// Another member of the fleet, with a server certificate for the name of the store's host, is not
// the store: a node sends it no call.
TEST_F(RolesTest, I6ANodeCallsOnlyTheStore) {
  struct Server {
    const char* name;
    rpc::TlsIdentity identity;
    const char* reason;  // nullptr: accepted
  };
  const auto now = std::chrono::system_clock::now();
  const Server kServers[] = {
      {"a node", authority_.IssueServer(Role::kNode, "us-east"), "spiffe://outport/node/us-east"},
      {"an administrator", authority_.IssueServer(Role::kAdmin, "a"), "spiffe://outport/admin/a"},
      {"a client", authority_.IssueServer(Role::kClient, "c"), "spiffe://outport/client/c"},
      {"the store of another domain",
       authority_.IssueServer(Role::kStore, "store", "127.0.0.1", "elsewhere"),
       "spiffe://elsewhere/store/store"},
      {"a store for another host", authority_.IssueServer(Role::kStore, "store", "192.0.2.1"),
       "not valid for the name 127.0.0.1"},
      {"a store that is not yet valid",
       authority_.IssueBetween(Role::kStore, "store", now + 1h, now + 48h), "verify failed"},
      {"a store that has expired",
       authority_.IssueBetween(Role::kStore, "store", now - 48h, now - 1h), "verify failed"},
      {"another fleet's store", TestAuthority().Issue(Role::kStore, "store"), "verify failed"},
      {"the store", authority_.Issue(Role::kStore, "store"), nullptr},
  };
  const std::vector<Method> methods = Methods();
  for (const Server& server : kServers) {
    store_->Stop();
    rpc::TlsIdentity shown = server.identity;
    shown.authorities = identity_.authorities;  // it accepts this fleet's nodes
    store_->Show(shown);
    store_->Start();
    const auto channel = rpc::Dial(store_->address(), identity_, true);
    for (const Method& method : methods) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + 20s);
      const grpc::Status status = method.call(channel, context);
      const std::string what = std::string(server.name) + " " + method.name;
      if (server.reason == nullptr) {
        EXPECT_EQ(status.error_code(), method.to_node) << what << ": " << status.error_message();
        continue;
      }
      EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << what;
      EXPECT_TRUE(status.error_message().contains(server.reason))
          << what << ": " << status.error_message();
    }
    const auto seen = store_->nodes.Find("eu-west");
    if (server.reason != nullptr) EXPECT_FALSE(seen.has_value()) << server.name;
  }
}

// A node that follows the store leaves a server that takes over the store's address.
TEST_F(RolesTest, I6AnIntruderIsNotFollowed) {
  const auto node = JoinNode();
  store_->Stop();
  EXPECT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  const uint64_t before = node->sequence();
  store_->Show(authority_.IssueServer(Role::kNode, "us-east"));
  store_->Start();
  store_->PublishTag(kApp, "moved", DigestOf("other"));
  const auto tries = [&] { return node->Count("outport_node_sync_attempts_total"); };
  const double tried = tries();
  EXPECT_TRUE(Eventually([&] { return tries() >= tried + 2; }));
  EXPECT_FALSE(node->IsConnected());
  EXPECT_EQ(node->sequence(), before);
  store_->Stop();
  store_->Show(authority_.Issue(Role::kStore, "store"));
  store_->Start();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
}

// The certificate was valid at the handshake. After its expiry the connection is no longer valid.
TEST_F(RolesTest, I6AConnectionDoesNotOutliveItsCertificate) {
  const TestStore::Image image = store_->PublishImage(kApp, "first");
  const auto channel =
      rpc::Dial(store_->address(), authority_.Issue(Role::kNode, "eu-west", 8s), true);
  const auto stub = v1::Replication::NewStub(channel);
  v1::ResolveRequest request;
  request.set_repository(kApp);
  request.set_reference("first");
  const auto resolve = [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    v1::ResolveResponse response;
    return stub->Resolve(&context, request, &response);
  };
  const grpc::Status good = resolve();
  ASSERT_TRUE(good.ok()) << good.error_message();
  grpc::Status status;
  EXPECT_TRUE(Eventually([&] {
    status = resolve();
    return !status.ok();
  }));
  EXPECT_EQ(status.error_code(), grpc::UNAUTHENTICATED);
  EXPECT_NE(status.error_message().find("has expired; renew it"), std::string::npos)
      << status.error_message();
}

// gRPC's servers issue session tickets and do not verify a resumed session again. So every call
// checks whether its certificate was revoked.
TEST_F(RolesTest, I6AResumedSessionIsNoWayAroundARevocation) {
  const std::unique_ptr<grpc_ssl_session_cache, decltype(&grpc_ssl_session_cache_destroy)> sessions(
      grpc_ssl_session_cache_create_lru(4), grpc_ssl_session_cache_destroy);
  const grpc_arg cache = grpc_ssl_session_cache_create_channel_arg(sessions.get());
  const TestStore::Image image = store_->PublishImage(kApp, "first");
  v1::ResolveRequest request;
  request.set_repository(kApp);
  request.set_reference("first");
  bool resumed = false;
  const auto resolve = [&] {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetPointerWithVtable(cache.key, cache.value.pointer.p, cache.value.pointer.vtable);
    const grpc::SslCredentialsOptions shown{identity_.authorities, identity_.private_key,
                                            identity_.certificate_chain};
    const auto stub = v1::Replication::NewStub(
        grpc::CreateCustomChannel(store_->address(), grpc::SslCredentials(shown), arguments));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    v1::ResolveResponse response;
    const grpc::Status status = stub->Resolve(&context, request, &response);
    const auto reused =
        context.auth_context()->FindPropertyValues(GRPC_SSL_SESSION_REUSED_PROPERTY);
    resumed = !reused.empty() && reused.front() == "true";
    return status;
  };
  ASSERT_TRUE(resolve().ok());
  const grpc::Status again = resolve();
  ASSERT_TRUE(again.ok()) << again.error_message();
  EXPECT_TRUE(resumed) << "the test needs a resumed session";
  const CertificateIdentity identity = *pki::Inspect(identity_.certificate_chain);
  store_->users.Revoke({identity.issuer_key_id, identity.serial});
  EXPECT_EQ(resolve().error_code(), grpc::UNAUTHENTICATED);
  EXPECT_TRUE(resumed) << "the test needs a resumed session";
}

}  // namespace
}  // namespace outport
