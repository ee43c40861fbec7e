#include "node/resolver.h"

#include <utility>

#include "registry/rpc/unary.h"

namespace outport::node {
namespace {

constexpr std::chrono::milliseconds kDeadline{1000};
constexpr size_t kQuestionsUnderWay = 256;

std::string KeyOf(const v1::ResolveRequest& request) {
  switch (request.what_case()) {
    case v1::ResolveRequest::kReference:
      return "reference " + request.repository() + ' ' + request.reference();
    case v1::ResolveRequest::kBlob:
      return "blob " + request.repository() + ' ' + request.blob();
    case v1::ResolveRequest::kHead:
    case v1::ResolveRequest::WHAT_NOT_SET:
      break;
  }
  return "head";
}

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_node_resolves_total", "Questions to the store, by result.",
                         {{"result", result}});
}

}  // namespace

v1::ResolveRequest AskReference(const RepositoryName& repository, const Reference& reference) {
  v1::ResolveRequest request;
  request.set_repository(repository.ToString());
  request.set_reference(ToString(reference));
  return request;
}

v1::ResolveRequest AskBlob(const RepositoryName& repository, const Digest& digest) {
  v1::ResolveRequest request;
  request.set_repository(repository.ToString());
  request.set_blob(digest.ToString());
  return request;
}

v1::ResolveRequest AskHead() {
  v1::ResolveRequest request;
  request.set_head(true);
  return request;
}

Resolver::Resolver(Parts parts)
    : parts_(std::move(parts)),
      stub_(v1::Replication::NewStub(parts_.channel)),
      flights_(parts_.tasks, "lookups at the store", kQuestionsUnderWay, 2 * kDeadline),
      found_(Count(parts_.metrics, "found")),
      absent_(Count(parts_.metrics, "absent")),
      failed_(Count(parts_.metrics, "failed")) {}

net::awaitable<Result<Resolved>> Resolver::Resolve(std::string request_id,
                                                   v1::ResolveRequest request) {
  const std::string key = KeyOf(request);
  const SingleFlight<Resolved>::Work work = [this, key, request, request_id] {
    return Ask(key, request, request_id);
  };
  auto landing = co_await flights_.Join(key, work);
  // An answer to a question asked before ours may miss what was pushed in between: ask again. For
  // what was found, that is within max_staleness.
  const bool settled = !landing.result.has_value() || landing.result->answer.found();
  if (landing.joined && !settled) landing = co_await flights_.Join(key, work);
  co_return std::move(landing.result);
}

std::optional<Resolved> Resolver::FindKept(const v1::ResolveRequest& request) {
  return overlay_.Find(KeyOf(request), parts_.replica.position());
}

net::awaitable<Result<Resolved>> Resolver::Ask(std::string key, v1::ResolveRequest request,
                                               std::string request_id) {
  Resolved resolved;
  resolved.asked = parts_.clock.SinceBoot();
  rpc::CallOptions options{.operation = "asking the store for the " + key,
                           .timeout = kDeadline,
                           .request_id = std::move(request_id)};
  auto invoke = [this](auto... arguments) { stub_->async()->Resolve(arguments...); };
  auto answer = co_await rpc::Call<v1::ResolveResponse>(invoke, request, std::move(options));
  if (!answer.has_value()) {
    failed_.Increment();
    co_return Error{ErrorCode::kUnavailable, std::move(answer).error().message};
  }
  resolved.answer = *std::move(answer);
  if (request.what_case() != v1::ResolveRequest::kHead) {
    (resolved.answer.found() ? found_ : absent_).Increment();
    overlay_.Put(key, resolved, parts_.replica.position());
  }
  co_return resolved;
}

}  // namespace outport::node
