#include "store/replication/replication_service.h"

#include <utility>

#include "registry/rpc/channel.h"
#include "registry/rpc/stream.h"
#include "registry/rpc/unary.h"
#include "store/replication/resolve.h"
#include "store/replication/sync_session.h"

namespace outport::store {
namespace {

std::string AskedFor(const v1::ResolveRequest& request) {
  switch (request.what_case()) {
    case v1::ResolveRequest::kReference:
      return request.reference();
    case v1::ResolveRequest::kBlob:
      return request.blob();
    case v1::ResolveRequest::kHead:
      return "head";
    case v1::ResolveRequest::WHAT_NOT_SET:
      break;
  }
  return "nothing";
}

}  // namespace

ReplicationService::ReplicationService(Parts parts)
    : parts_(std::move(parts)), pull_metrics_(parts_.metrics), snapshots_(parts_.clock) {}
ReplicationService::~ReplicationService() = default;

Result<CertificateIdentity> ReplicationService::RequireMember(
    const grpc::CallbackServerContext& context) const {
  TRY(CertificateIdentity identity,
      rpc::RequireRole(context, parts_.identity.domain, Role::kNode, parts_.directory));
  TRY_VOID(parts_.members.Require(identity.name));
  return identity;
}

Result<void> ReplicationService::RequireStays(const CertificateIdentity& caller) const {
  TRY_VOID(parts_.members.Require(caller.name));
  if (!parts_.directory.IsRevoked(caller)) return {};
  return Error{ErrorCode::kUnauthorized,
               "the certificate of node '" + caller.name + "' was revoked"};
}

Result<void> ReplicationService::Require(Action action, const std::string& node,
                                         const std::string& repository) const {
  TRY(const auto permissions, parts_.members.Require(node));
  TRY(const RepositoryName name, RepositoryName::Parse(repository));
  return permissions->Require(action, name);
}

grpc::ServerBidiReactor<v1::NodeMessage, v1::StoreMessage>* ReplicationService::Sync(
    grpc::CallbackServerContext* context) {
  const auto caller = RequireMember(*context);
  if (!caller.has_value()) return rpc::RejectStream<SyncStream>(context, caller.error());
  auto serve = [this, caller = *caller](SyncStream& stream) -> net::awaitable<Result<void>> {
    const std::string& node = caller.name;
    SyncSession::Parts parts{.meta = parts_.meta,
                             .members = parts_.members,
                             .pool = parts_.pool,
                             .nodes = parts_.nodes,
                             .snapshots = snapshots_,
                             .clock = parts_.clock,
                             .log = parts_.log.With({{"node", node}}),
                             .epoch = parts_.identity.epoch,
                             .policy = parts_.policy,
                             .allowed = [this, &caller] { return RequireStays(caller); },
                             .access = parts_.access};
    SyncSession session(std::move(parts), node, stream);
    co_return co_await session.Run();
  };
  return rpc::ServeStream<SyncStream>(context, parts_.tasks, std::move(serve));
}

grpc::ServerUnaryReactor* ReplicationService::Resolve(grpc::CallbackServerContext* context,
                                                      const v1::ResolveRequest* request,
                                                      v1::ResolveResponse* response) {
  const auto caller = RequireMember(*context);
  if (!caller.has_value()) return rpc::Reject(context, caller.error());
  auto serve = [this, context, request, node = caller->name]() -> Result<v1::ResolveResponse> {
    const std::string& epoch = parts_.identity.epoch;
    if (!request->has_head()) TRY_VOID(Require(Action::kPull, node, request->repository()));
    if (request->touch()) TRY_VOID(Require(Action::kPush, node, request->repository()));
    TRY(v1::ResolveResponse answer, request->touch()
                                        ? TouchAndResolve(parts_.content, epoch, *request)
                                        : store::Resolve(parts_.meta, epoch, *request));
    parts_.log.Info("resolve call answered", {{"request_id", rpc::RequestIdOf(*context)},
                                              {"node", node},
                                              {"repository", request->repository()},
                                              {"reference", AskedFor(*request)},
                                              {"found", answer.found()}});
    return answer;
  };
  return rpc::ServeBlocking(context, parts_.pool, response, std::move(serve));
}

grpc::ServerUnaryReactor* ReplicationService::GetManifest(grpc::CallbackServerContext* context,
                                                          const v1::GetManifestRequest* request,
                                                          v1::GetManifestResponse* response) {
  const auto caller = RequireMember(*context);
  if (!caller.has_value()) return rpc::Reject(context, caller.error());
  auto serve = [this, context, request, node = caller->name]() -> Result<v1::GetManifestResponse> {
    TRY_VOID(Require(Action::kPull, node, request->repository()));
    TRY(v1::GetManifestResponse answer, ReadManifest(parts_.meta, *request));
    parts_.log.Info("manifest sent to node", {{"request_id", rpc::RequestIdOf(*context)},
                                              {"node", node},
                                              {"repository", request->repository()},
                                              {"digest", request->digest()},
                                              {"size_bytes", answer.content().size()}});
    return answer;
  };
  return rpc::ServeBlocking(context, parts_.pool, response, std::move(serve));
}

grpc::ServerWriteReactor<v1::BlobChunk>* ReplicationService::ReadBlob(
    grpc::CallbackServerContext* context, const v1::ReadBlobRequest* request) {
  const auto caller = RequireMember(*context);
  if (!caller.has_value()) {
    return rpc::RejectStream<rpc::ServerWriter<v1::BlobChunk>>(context, caller.error());
  }
  auto may_go_on = [this, caller = *caller, repository = request->repository()]() -> Result<void> {
    TRY_VOID(RequireStays(caller));
    return Require(Action::kPull, caller.name, repository);
  };
  return parts_.blobs.Start(context, request, caller->name, std::move(may_go_on));
}

grpc::ServerUnaryReactor* ReplicationService::ReportPulls(grpc::CallbackServerContext* context,
                                                          const v1::ReportPullsRequest* request,
                                                          v1::ReportPullsResponse* response) {
  const auto caller = RequireMember(*context);
  if (!caller.has_value()) return rpc::Reject(context, caller.error());
  auto serve = [this, request, node = caller->name]() -> Result<v1::ReportPullsResponse> {
    TRY(const auto permissions, parts_.members.Require(node));
    TRY(v1::ReportPullsResponse answer, RecordReport(parts_.meta, node, *permissions, *request,
                                                     parts_.store_clock.NowMs(), pull_metrics_));
    if (request->dropped() > 0) {
      parts_.log.Warning("node lost pulls", {{"node", node}, {"count", request->dropped()}});
    }
    return answer;
  };
  return rpc::ServeBlocking(context, parts_.pool, response, std::move(serve));
}

}  // namespace outport::store
