#include "node/relay/relayed_writes.h"

#include <string_view>
#include <utility>

#include "node/freshness/read_your_writes.h"
#include "node/relay/relayed_upload.h"
#include "node/upstream/store_stubs.h"
#include "registry/oci/manifest.h"
#include "registry/rpc/unary.h"

namespace outport::node {
namespace {

// This is long because the verification of the password may have to wait in a queue.
constexpr std::chrono::milliseconds kCallDeadline{40000};
constexpr size_t kWidePart = 1 << 20;
constexpr size_t kNarrowPart = 128 << 10;

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_node_relayed_writes_total",
                         "Writes relayed to the store, by result.", {{"result", result}});
}

v1::Sender SenderOf(const Caller& caller) {
  v1::Sender sender;
  sender.set_user(caller.user);
  if (caller.password != nullptr) {
    const std::string_view text = caller.password->text();
    sender.set_password(text.data(), text.size());  // the only copy; the call wipes it
  }
  sender.set_certificate(caller.certificate_name);
  sender.set_address(caller.address);
  return sender;
}

// Returns a request with the sender and the repository.
template <class Request>
Request RequestOf(const Caller& caller, const RepositoryName& repository) {
  Request request;
  *request.mutable_sender() = SenderOf(caller);
  request.set_repository(repository.ToString());
  return request;
}

v1::UploadPart::Header HeaderOf(const Caller& caller, const RepositoryName& repository,
                                const std::string& id, const std::optional<ByteRange>& range,
                                const ByteSource& body) {
  v1::UploadPart::Header header;
  *header.mutable_session() = RequestOf<v1::UploadSession>(caller, repository);
  header.mutable_session()->set_id(id);
  if (range.has_value()) {
    header.mutable_range()->set_offset(range->offset);
    header.mutable_range()->set_size_bytes(range->size);
  }
  if (body.length().has_value()) header.set_length(*body.length());
  return header;
}

Result<PushedBlob> FromMessage(const v1::PushedBlob& message) {
  TRY(const Digest digest, Digest::Parse(message.digest()));
  return PushedBlob{{digest, message.size_bytes()}, message.position().sequence()};
}

}  // namespace

RelayedWrites::RelayedWrites(Parts parts)
    : parts_(std::move(parts)),
      done_(Count(parts_.metrics, "succeeded")),
      rejected_(Count(parts_.metrics, "rejected")),
      failed_(Count(parts_.metrics, "failed")),
      sent_bytes_(parts_.metrics.Counter("outport_node_relayed_bytes_total",
                                         "Bytes of blobs relayed to the store.")),
      behind_(parts_.metrics.Counter(
          "outport_node_relayed_writes_unapplied_total",
          "Relayed writes answered before this node had applied their changes.")),
      bodies_(parts_.limits.bodies,
              &parts_.metrics.Gauge("outport_node_relayed_uploads_in_progress",
                                    "Upload bodies being relayed to the store.")) {}

template <class Response>
Result<Response> RelayedWrites::Record(Result<Response> response) {
  const bool lost = !response.has_value() && response.error().code == ErrorCode::kUnavailable;
  (response.has_value() ? done_ : lost ? failed_ : rejected_).Increment();
  return response;
}

template <class Response, class Request, class Method>
net::awaitable<Result<Response>> RelayedWrites::Call(const Caller& caller, Method method,
                                                     Request request) {
  rpc::CallOptions options{.operation = "relaying a write to the store",
                           .timeout = kCallDeadline,
                           .request_id = caller.request_id};
  auto invoke = [store = parts_.channel->Stubs(), method](auto... arguments) {
    method(*store->push.async(), arguments...);
  };
  Result<Response> response =
      co_await rpc::Call<Response>(std::move(invoke), std::move(request), std::move(options));
  if constexpr (requires { response->refusal(); }) {
    if (response.has_value() && response->has_refusal()) {
      response = rpc::FromRefusal(response->refusal());
    }
  }
  co_return Record(std::move(response));
}

net::awaitable<bool> RelayedWrites::MakeVisible(v1::Position position,
                                                std::vector<ResolveQuestion> questions,
                                                std::optional<ResolveAnswer::Content> content,
                                                std::chrono::nanoseconds asked) {
  const auto now = std::chrono::steady_clock::now();
  const auto deadline = parts_.store_is_connected() ? now + parts_.limits.catch_up : now;
  const bool applied =
      co_await WaitUntilApplied(parts_.replica, position.epoch(), position.sequence(), deadline);
  if (applied) co_return true;
  behind_.Increment();
  const ResolveAnswer answer{.content = std::move(content), .repository_known = true};
  for (ResolveQuestion& question : questions) {
    co_await parts_.resolver.RecordWrite(std::move(question), answer, position, asked);
  }
  co_return false;
}

net::awaitable<std::string> RelayedWrites::MediaTypeOf(std::string type, std::string body) {
  if (!type.empty()) co_return type;
  auto parse = [body = std::move(body)]() -> Result<std::string> {
    TRY(Manifest manifest, Manifest::ParseStored(body, {}));
    return std::move(manifest.media_type);
  };
  const auto media_type = co_await BlockingInProgress(parts_.pool, std::move(parse));
  co_return media_type.value_or(std::string());
}

net::awaitable<Result<PushedManifest>> RelayedWrites::PutManifest(
    const Caller& caller, const RepositoryName& repository, const Reference& reference,
    const std::string& content_type, const std::vector<Tag>& tags, std::string body) {
  const auto asked = parts_.clock.SinceBoot();
  const uint64_t size_bytes = body.size();
  // Only the store parses the manifest, unless the type is in the body alone.
  std::string type(MediaTypeIn(content_type));
  std::string untyped = type.empty() ? body : std::string();
  auto request = RequestOf<v1::PutManifestRequest>(caller, repository);
  request.set_reference(ToString(reference));
  request.set_content_type(content_type);
  for (const Tag& tag : tags) request.add_tags(tag.ToString());
  request.set_content(std::move(body));
  auto method = [](auto& stub, auto... arguments) { stub.PutManifest(arguments...); };
  CO_TRY(const v1::PutManifestResponse response,
         co_await Call<v1::PutManifestResponse>(caller, method, std::move(request)));
  CO_TRY(const Digest digest, Digest::Parse(response.digest()));
  PushedManifest pushed{digest, std::nullopt, response.position().sequence()};
  if (!response.subject().empty()) {
    CO_TRY(pushed.subject, Digest::Parse(response.subject()));
  }
  std::vector<ResolveQuestion> questions{AskManifest(repository, digest),
                                         AskManifest(repository, reference)};
  for (const Tag& tag : tags) questions.push_back(AskManifest(repository, tag));
  std::string media_type = co_await MediaTypeOf(std::move(type), std::move(untyped));
  const ResolveAnswer::Content content{digest, std::move(media_type), size_bytes};
  co_await MakeVisible(response.position(), std::move(questions), content, asked);
  co_return pushed;
}

net::awaitable<Result<Deleted>> RelayedWrites::DeleteManifest(const Caller& caller,
                                                              const RepositoryName& repository,
                                                              const Reference& reference) {
  const auto asked = parts_.clock.SinceBoot();
  auto request = RequestOf<v1::DeleteManifestRequest>(caller, repository);
  request.set_reference(ToString(reference));
  auto method = [](auto& stub, auto... arguments) { stub.DeleteManifest(arguments...); };
  CO_TRY(const v1::DeleteResponse response,
         co_await Call<v1::DeleteResponse>(caller, method, std::move(request)));
  std::vector<ResolveQuestion> questions{AskManifest(repository, reference)};
  const bool applied =
      co_await MakeVisible(response.position(), std::move(questions), std::nullopt, asked);
  // The store has also deleted the tags that pointed to the digest. The node learns which tags from
  // the replica, so it trusts no older answer until then.
  if (!applied && std::holds_alternative<Digest>(reference)) {
    parts_.resolver.DropOlder(response.position());
  }
  co_return Deleted{response.position().sequence()};
}

net::awaitable<Result<Deleted>> RelayedWrites::DeleteBlob(const Caller& caller,
                                                          const RepositoryName& repository,
                                                          const Digest& digest) {
  const auto asked = parts_.clock.SinceBoot();
  auto request = RequestOf<v1::DeleteBlobRequest>(caller, repository);
  request.set_digest(digest.ToString());
  auto method = [](auto& stub, auto... arguments) { stub.DeleteBlob(arguments...); };
  CO_TRY(const v1::DeleteResponse response,
         co_await Call<v1::DeleteResponse>(caller, method, std::move(request)));
  std::vector<ResolveQuestion> questions{AskBlob(repository, digest)};
  co_await MakeVisible(response.position(), std::move(questions), std::nullopt, asked);
  co_return Deleted{response.position().sequence()};
}

net::awaitable<Result<PushedBlob>> RelayedWrites::MountBlob(
    const Caller& caller, const RepositoryName& repository, const Digest& digest,
    const std::optional<RepositoryName>& from) {
  auto request = RequestOf<v1::MountBlobRequest>(caller, repository);
  request.set_digest(digest.ToString());
  if (from.has_value()) request.set_from(from->ToString());
  auto method = [](auto& stub, auto... arguments) { stub.MountBlob(arguments...); };
  CO_TRY(const v1::PushedBlob response,
         co_await Call<v1::PushedBlob>(caller, method, std::move(request)));
  co_return FromMessage(response);
}

net::awaitable<Result<UploadStatus>> RelayedWrites::StartUpload(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                DigestAlgorithm algorithm) {
  auto request = RequestOf<v1::StartUploadRequest>(caller, repository);
  request.set_algorithm(std::string(Digest::Of(algorithm, {}).algorithm_name()));
  auto method = [](auto& stub, auto... arguments) { stub.StartUpload(arguments...); };
  CO_TRY(const v1::UploadStatus response,
         co_await Call<v1::UploadStatus>(caller, method, std::move(request)));
  co_return UploadStatus{response.id(), response.size_bytes()};
}

net::awaitable<Result<UploadStatus>> RelayedWrites::StatUpload(const Caller& caller,
                                                               const RepositoryName& repository,
                                                               const std::string& id) {
  auto request = RequestOf<v1::UploadSession>(caller, repository);
  request.set_id(id);
  auto method = [](auto& stub, auto... arguments) { stub.StatUpload(arguments...); };
  CO_TRY(const v1::UploadStatus response,
         co_await Call<v1::UploadStatus>(caller, method, std::move(request)));
  co_return UploadStatus{response.id(), response.size_bytes()};
}

net::awaitable<Result<void>> RelayedWrites::CancelUpload(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const std::string& id) {
  auto request = RequestOf<v1::UploadSession>(caller, repository);
  request.set_id(id);
  auto method = [](auto& stub, auto... arguments) { stub.CancelUpload(arguments...); };
  CO_TRY(const v1::CancelUploadResponse response,
         co_await Call<v1::CancelUploadResponse>(caller, method, std::move(request)));
  static_cast<void>(response);
  co_return Result<void>();
}

net::awaitable<Result<v1::UploadAnswer>> RelayedWrites::Upload(const Caller& caller,
                                                               v1::UploadPart::Header header,
                                                               ByteSource& body) {
  const std::optional<Slots::Slot> slot = bodies_.Acquire();
  if (!slot.has_value()) {
    rejected_.Increment();
    Wipe(*header.mutable_session()->mutable_sender()->mutable_password());
    co_return Error{ErrorCode::kTooManyRequests,
                    "too many uploads are in progress at this node; retry shortly"};
  }
  const size_t turn = next_channel_++;
  RelayedUpload upload({.channel = parts_.body_channels[turn % parts_.body_channels.size()],
                        .sent_bytes = sent_bytes_,
                        .request_id = caller.request_id,
                        .part_bytes = slot->rank() < parts_.limits.wide ? kWidePart : kNarrowPart,
                        .wait_for_connection = parts_.store_is_connected()},
                       body);
  co_return Record(co_await upload.Run(std::move(header)));
}

net::awaitable<Result<UploadStatus>> RelayedWrites::AppendUpload(const Caller& caller,
                                                                 const RepositoryName& repository,
                                                                 const std::string& id,
                                                                 std::optional<ByteRange> range,
                                                                 ByteSource& body) {
  auto header = HeaderOf(caller, repository, id, range, body);
  CO_TRY(const v1::UploadAnswer answer, co_await Upload(caller, std::move(header), body));
  co_return UploadStatus{answer.appended().id(), answer.appended().size_bytes()};
}

net::awaitable<Result<PushedBlob>> RelayedWrites::FinishUpload(
    const Caller& caller, const RepositoryName& repository, const std::string& id,
    std::optional<ByteRange> range, const Digest& digest, ByteSource& body) {
  auto header = HeaderOf(caller, repository, id, range, body);
  header.set_digest(digest.ToString());
  CO_TRY(const v1::UploadAnswer answer, co_await Upload(caller, std::move(header), body));
  co_return FromMessage(answer.pushed());
}

}  // namespace outport::node
