#include "store/relay/push_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "registry/access/holder.h"
#include "registry/rpc/channel.h"
#include "registry/rpc/unary.h"
#include "store/relay/relayed_body.h"

namespace outport::store {
namespace {

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_store_relayed_writes_total",
                         "Writes relayed by nodes, by result.", {{"result", result}});
}

v1::PushedBlob ToMessage(const PushedBlob& blob, v1::Position position) {
  v1::PushedBlob message;
  message.set_digest(blob.info.digest.ToString());
  message.set_size_bytes(blob.info.size_bytes);
  *message.mutable_position() = std::move(position);
  return message;
}

v1::UploadStatus ToMessage(const UploadStatus& status) {
  v1::UploadStatus message;
  message.set_id(status.id);
  message.set_size_bytes(status.size_bytes);
  return message;
}

std::optional<ByteRange> RangeOf(const v1::UploadPart::Header& header) {
  if (!header.has_range()) return std::nullopt;
  return ByteRange{header.range().offset(), header.range().size_bytes()};
}

Result<std::vector<Tag>> ParseTags(const v1::PutManifestRequest& request) {
  std::vector<Tag> tags;
  for (const std::string& text : request.tags()) {
    TRY(Tag tag, Tag::Parse(text));
    tags.push_back(std::move(tag));
  }
  return tags;
}

// Whether the node receives the user, as NodeScope::ReceivesUser() decides.
bool Receives(const AccessDirectory& directory, const NodePermissions& node,
              const std::shared_ptr<const User>& user) {
  if (user == nullptr) return false;
  const Rights rights = directory.RightsOf(user, /*certificate=*/{});
  return std::ranges::any_of(rights.sources(), [&](const Rights::Source& source) {
    const bool own =
        source.subject.kind == SubjectKind::kUser || source.subject.kind == SubjectKind::kGroup;
    return own && std::ranges::any_of(*source.grants, [&](const Grant& grant) {
             return node.MayPullSomeOf(grant.pattern);
           });
  });
}

// Returns the name to authenticate. If the node does not receive the user, this is a name that no
// user has. So the node cannot tell a right password of such a user from a wrong one, and not
// whether the user exists: the work, the error and the count of failures are the same.
std::string LoginName(const AccessDirectory& directory, const NodePermissions& node,
                      const v1::Sender& sender) {
  const bool everything = node.Scope() == std::vector{std::string(kEverything)};
  if (everything || sender.user() == kAnonymousUser) return sender.user();
  return Receives(directory, node, directory.Find(sender.user())) ? sender.user()
                                                                  : ":" + sender.user();
}

}  // namespace

struct PushService::Admitted {
  std::unique_ptr<const RelayingNode> node;    // the admission refers to this node
  std::unique_ptr<const Admission> admission;  // the caller refers to this admission
  Caller caller;
  RepositoryName repository;
  Slots::Slot slot;
};

PushService::PushService(Parts parts)
    : parts_(std::move(parts)),
      gate_{.directory = parts_.directory,
            .authenticator = parts_.authenticator,
            .clock = parts_.clock},
      succeeded_(Count(parts_.metrics, "succeeded")),
      rejected_(Count(parts_.metrics, "rejected")),
      calls_("writes", parts_.limits.calls_per_node,
             parts_.metrics.Gauge("outport_store_relayed_writes_in_progress",
                                  "Relayed writes in progress.")),
      uploads_("uploads", parts_.limits.uploads_per_node,
               parts_.metrics.Gauge("outport_store_relayed_uploads_in_progress",
                                    "Relayed upload bodies in progress.")) {}
PushService::~PushService() = default;

net::awaitable<Result<PushService::Admitted>> PushService::Admit(const Context& context,
                                                                 const v1::Sender& sender,
                                                                 const std::string& repository_text,
                                                                 Action action, NodeSlots& slots) {
  CO_TRY(CertificateIdentity identity,
         rpc::RequireRole(context, parts_.identity.domain, Role::kNode, parts_.directory));
  std::string request_id = rpc::RequestIdOf(context);
  auto node = std::make_unique<const RelayingNode>(parts_.members, parts_.directory,
                                                   std::move(identity), sender.certificate());
  if (const auto accepted = node->Check(); !accepted.has_value()) {
    parts_.log.Warning(
        "relayed write rejected: node not accepted",
        {{"request_id", request_id}, {"node", node->name()}, {"error", accepted.error().message}});
    co_return accepted.error();
  }
  CO_TRY(Slots::Slot slot, slots.Acquire(node->name()));
  Result<RepositoryName> repository = RepositoryName::Parse(repository_text);
  Result<Admission> admission = co_await AdmitSender(*node, sender, repository, action);
  if (!admission.has_value()) {
    rejected_.Increment();
    parts_.log.Info("relayed write rejected", {{"request_id", request_id},
                                               {"node", node->name()},
                                               {"user", sender.user()},
                                               {"repository", repository_text},
                                               {"error", admission.error().message}});
    co_return admission.error();
  }
  auto admitted = std::make_unique<const Admission>(*std::move(admission));
  Caller caller{.user = sender.user(),
                .certificate_name = sender.certificate(),
                .address = sender.address(),
                .node = node->name(),
                .holder = HolderOf(admitted->sender()),
                .request_id = std::move(request_id),
                .may_push = admitted->rights().Allows(Action::kPush, *repository),
                .recheck = [own = admitted.get()] { return own->Recheck(); }};
  co_return Admitted{.node = std::move(node),
                     .admission = std::move(admitted),
                     .caller = std::move(caller),
                     .repository = *std::move(repository),
                     .slot = std::move(slot)};
}

net::awaitable<Result<Admission>> PushService::AdmitSender(const RelayingNode& node,
                                                           const v1::Sender& sender,
                                                           const Result<RepositoryName>& repository,
                                                           Action action) {
  Result<Credentials> credentials = NoCredentials{};
  if (!sender.password().empty()) {
    CO_TRY(const auto permissions, node.Check());
    credentials = PasswordCredentials{.user = LoginName(parts_.directory, *permissions, sender),
                                      .password = Secret(sender.password())};
  }
  CO_TRY(Sender user, co_await Authenticate(gate_, node, std::move(credentials)));
  if (!repository.has_value()) co_return repository.error();
  co_return outport::Admit(std::move(user), RepositoryAccess{*repository, action});
}

template <class T>
Result<T> PushService::Record(const Admitted& admitted, const char* verb, Result<T> outcome) {
  (outcome.has_value() ? succeeded_ : rejected_).Increment();
  const Log log = parts_.log.With({{"request_id", admitted.caller.request_id},
                                   {"node", admitted.node->name()},
                                   {"user", admitted.caller.user},
                                   {"certificate", admitted.caller.certificate_name},
                                   {"address", admitted.caller.address},
                                   {"repository", admitted.repository.ToString()},
                                   {"verb", verb}});
  if (outcome.has_value()) {
    log.Info("relayed write done");
  } else if (outcome.error().code == ErrorCode::kInternal) {
    log.Error("relayed write failed", {{"error", outcome.error().message}});
  } else {
    log.Info("relayed write rejected", {{"error", outcome.error().message}});
  }
  return outcome;
}

v1::Position PushService::PositionAt(uint64_t sequence) const {
  v1::Position position;
  position.set_epoch(parts_.identity.epoch);
  position.set_sequence(sequence);
  return position;
}

net::awaitable<Result<v1::PutManifestResponse>> PushService::Put(
    const Context& context, const v1::PutManifestRequest& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kPush, calls_));
  CO_TRY(const Reference reference, ParseReference(request.reference()));
  CO_TRY(const std::vector<Tag> tags, ParseTags(request));
  auto put = co_await parts_.registry.PutManifest(admitted.caller, admitted.repository, reference,
                                                  request.content_type(), tags, request.content());
  CO_TRY(const PushedManifest pushed, Record(admitted, "put manifest", std::move(put)));
  v1::PutManifestResponse response;
  response.set_digest(pushed.digest.ToString());
  if (pushed.subject.has_value()) response.set_subject(pushed.subject->ToString());
  *response.mutable_position() = PositionAt(pushed.sequence);
  co_return response;
}

net::awaitable<Result<v1::DeleteResponse>> PushService::Delete(
    const Context& context, const v1::DeleteManifestRequest& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kDelete, calls_));
  CO_TRY(const Reference reference, ParseReference(request.reference()));
  auto deletion =
      co_await parts_.registry.DeleteManifest(admitted.caller, admitted.repository, reference);
  CO_TRY(const Deleted deleted, Record(admitted, "delete manifest", std::move(deletion)));
  v1::DeleteResponse response;
  *response.mutable_position() = PositionAt(deleted.sequence);
  co_return response;
}

net::awaitable<Result<v1::DeleteResponse>> PushService::Delete(
    const Context& context, const v1::DeleteBlobRequest& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kDelete, calls_));
  CO_TRY(const Digest digest, Digest::Parse(request.digest()));
  auto deletion = co_await parts_.registry.DeleteBlob(admitted.caller, admitted.repository, digest);
  CO_TRY(const Deleted deleted, Record(admitted, "delete blob", std::move(deletion)));
  v1::DeleteResponse response;
  *response.mutable_position() = PositionAt(deleted.sequence);
  co_return response;
}

net::awaitable<Result<v1::PushedBlob>> PushService::Mount(const Context& context,
                                                          const v1::MountBlobRequest& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kPush, calls_));
  CO_TRY(const Digest digest, Digest::Parse(request.digest()));
  std::optional<RepositoryName> from;
  if (!request.from().empty()) {
    CO_TRY(from, RepositoryName::Parse(request.from()));
  }
  const Visible visible = VisibleTo(admitted.admission->rights());
  auto mount = co_await parts_.registry.MountBlob(admitted.caller, admitted.repository, digest,
                                                  from, visible);
  CO_TRY(const PushedBlob blob, Record(admitted, "mount blob", std::move(mount)));
  co_return ToMessage(blob, PositionAt(blob.sequence));
}

net::awaitable<Result<v1::UploadStatus>> PushService::Start(const Context& context,
                                                            const v1::StartUploadRequest& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kPush, calls_));
  CO_TRY(const DigestAlgorithm algorithm, ParseDigestAlgorithm(request.algorithm()));
  auto start =
      co_await parts_.registry.StartUpload(admitted.caller, admitted.repository, algorithm);
  CO_TRY(const UploadStatus status, Record(admitted, "start upload", std::move(start)));
  co_return ToMessage(status);
}

net::awaitable<Result<v1::UploadStatus>> PushService::Stat(const Context& context,
                                                           const v1::UploadSession& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kPush, calls_));
  CO_TRY(const UploadStatus status,
         co_await parts_.registry.StatUpload(admitted.caller, admitted.repository, request.id()));
  co_return ToMessage(status);
}

net::awaitable<Result<v1::CancelUploadResponse>> PushService::Cancel(
    const Context& context, const v1::UploadSession& request) {
  CO_TRY(const Admitted admitted,
         co_await Admit(context, request.sender(), request.repository(), Action::kPush, calls_));
  auto cancel =
      co_await parts_.registry.CancelUpload(admitted.caller, admitted.repository, request.id());
  CO_TRY_VOID(Record(admitted, "cancel upload", std::move(cancel)));
  co_return v1::CancelUploadResponse();
}

net::awaitable<Result<void>> PushService::Receive(UploadStream& stream) {
  const auto limit = parts_.limits.progress_deadline;
  // Reject an unauthenticated caller before waiting for the upload's header.
  const auto role =
      rpc::RequireRole(stream.context(), parts_.identity.domain, Role::kNode, parts_.directory);
  if (!role.has_value()) co_return role.error();
  v1::UploadPart part;
  if (!co_await stream.Read(part, limit) || !part.has_header()) {
    co_return Error{ErrorCode::kInvalidArgument,
                    "the first message of a relayed upload must be the header"};
  }
  const v1::UploadPart::Header header = std::move(*part.mutable_header());
  const v1::UploadSession& session = header.session();
  // The certificate may have expired or been revoked while the header was awaited.
  CO_TRY(const Admitted admitted, co_await Admit(stream.context(), session.sender(),
                                                 session.repository(), Action::kPush, uploads_));
  std::optional<uint64_t> length;
  if (header.has_length()) length = header.length();
  RelayedBody body(stream, length, limit, bodies_,
                   [&admitted] { return admitted.admission->Recheck(); });
  const char* verb = header.digest().empty() ? "append upload" : "finish upload";
  auto stored = co_await Store(admitted, header, body);
  CO_TRY(const v1::UploadAnswer answer, Record(admitted, verb, std::move(stored)));
  if (!co_await stream.Write(answer, limit)) {
    co_return Error{
        ErrorCode::kCancelled,
        "the node that relays the upload closed the stream or did not read the answer in time"};
  }
  co_return Result<void>();
}

net::awaitable<Result<v1::UploadAnswer>> PushService::Store(const Admitted& admitted,
                                                            const v1::UploadPart::Header& header,
                                                            ByteSource& body) {
  v1::UploadAnswer answer;
  const std::string& id = header.session().id();
  if (header.digest().empty()) {
    CO_TRY(const UploadStatus status,
           co_await parts_.registry.AppendUpload(admitted.caller, admitted.repository, id,
                                                 RangeOf(header), body));
    *answer.mutable_appended() = ToMessage(status);
  } else {
    CO_TRY(const Digest digest, Digest::Parse(header.digest()));
    CO_TRY(const PushedBlob blob,
           co_await parts_.registry.FinishUpload(admitted.caller, admitted.repository, id,
                                                 RangeOf(header), digest, body));
    *answer.mutable_pushed() = ToMessage(blob, PositionAt(blob.sequence));
  }
  co_return answer;
}

grpc::ServerUnaryReactor* PushService::PutManifest(Context* context,
                                                   const v1::PutManifestRequest* request,
                                                   v1::PutManifestResponse* response) {
  auto serve = [this, context, request]() -> net::awaitable<Result<v1::PutManifestResponse>> {
    Result<v1::PutManifestResponse> answer = co_await Put(*context, *request);
    if (!answer.has_value()) {
      v1::PutManifestResponse refusal;
      *refusal.mutable_refusal() = rpc::ToRefusal(answer.error());
      co_return refusal;
    }
    co_return answer;
  };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::DeleteManifest(Context* context,
                                                      const v1::DeleteManifestRequest* request,
                                                      v1::DeleteResponse* response) {
  auto serve = [this, context, request] { return Delete(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::DeleteBlob(Context* context,
                                                  const v1::DeleteBlobRequest* request,
                                                  v1::DeleteResponse* response) {
  auto serve = [this, context, request] { return Delete(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::MountBlob(Context* context,
                                                 const v1::MountBlobRequest* request,
                                                 v1::PushedBlob* response) {
  auto serve = [this, context, request] { return Mount(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::StartUpload(Context* context,
                                                   const v1::StartUploadRequest* request,
                                                   v1::UploadStatus* response) {
  auto serve = [this, context, request] { return Start(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::StatUpload(Context* context,
                                                  const v1::UploadSession* request,
                                                  v1::UploadStatus* response) {
  auto serve = [this, context, request] { return Stat(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerUnaryReactor* PushService::CancelUpload(Context* context,
                                                    const v1::UploadSession* request,
                                                    v1::CancelUploadResponse* response) {
  auto serve = [this, context, request] { return Cancel(*context, *request); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(serve));
}

grpc::ServerBidiReactor<v1::UploadPart, v1::UploadAnswer>* PushService::Upload(Context* context) {
  auto serve = [this](UploadStream& stream) { return Receive(stream); };
  return rpc::ServeStream<UploadStream>(context, parts_.tasks, std::move(serve));
}

}  // namespace outport::store
