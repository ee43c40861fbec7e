#include "node/freshness/resolver.h"

#include <utility>

#include "node/freshness/min_sequence.h"
#include "node/upstream/store_stubs.h"
#include "registry/rpc/unary.h"

namespace outport::node {
namespace {

constexpr std::chrono::milliseconds kDeadline{1000};
constexpr size_t kQuestionsUnderWay = 256;

// Names, tags and digests have no spaces: KeptTags() and KeptRepositories() take keys apart there.
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
  return metrics.Counter("outport_node_resolves_total", "Resolve calls to the store, by result.",
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
      shown_(parts_.meta),
      flights_(parts_.tasks, "lookups at the store", kQuestionsUnderWay, 2 * kDeadline),
      found_(Count(parts_.metrics, "found")),
      absent_(Count(parts_.metrics, "absent")),
      failed_(Count(parts_.metrics, "failed")) {}

Result<void> Resolver::Recover() {
  TRY(const std::optional<Mark> mark, shown_.Load());
  if (mark.has_value()) overlay_.Forgot(*mark);
  return {};
}

net::awaitable<Result<Resolved>> Resolver::Resolve(std::string request_id,
                                                   v1::ResolveRequest request) {
  const std::string key = KeyOf(request);
  const SingleFlight<Resolved>::Work work = [this, key, request, request_id] {
    return Ask(key, request, request_id);
  };
  auto landing = co_await flights_.Join(key, work);
  if (landing.joined && !MayShare(landing.result)) landing = co_await flights_.Join(key, work);
  CO_TRY(Resolved resolved, std::move(landing.result));
  if (request.what_case() == v1::ResolveRequest::kHead) co_return resolved;
  // While the answer was on its way, something newer may have been shown: a later answer, or rows
  // that the replica has applied. Kept answers are looked at first: one that goes meanwhile goes
  // because the rows, read after it, have passed it.
  if (auto kept = overlay_.Find(key, parts_.replica.position())) resolved = *std::move(kept);
  auto read = [this, request] { return parts_.rows.Answer(request); };
  CO_TRY(v1::ResolveResponse rows, co_await Blocking(parts_.pool, std::move(read)));
  if (HasPassed(rows.head(), MarkOf(resolved))) resolved.answer = std::move(rows);
  co_return resolved;
}

net::awaitable<Result<Resolved>> Resolver::ResolveFor(const Caller& caller,
                                                      v1::ResolveRequest request) {
  CO_TRY(Resolved resolved, co_await Resolve(caller.request_id, request));
  if (resolved.answer.head().sequence() < caller.min_sequence) {
    // It may be of a question that was asked before ours.
    CO_TRY(resolved, co_await Resolve(caller.request_id, std::move(request)));
  }
  CO_TRY_VOID(RequireMinSequence(caller, resolved.answer.head()));
  co_return resolved;
}

// An answer to a question asked before ours may miss what was pushed in between. Of what was found,
// that much is allowed for max_staleness.
bool Resolver::MayShare(const Result<Resolved>& result) const {
  if (!result.has_value()) return true;
  const std::chrono::milliseconds allowed(parts_.replica.policy().max_staleness_ms());
  return result->answer.found() && parts_.clock.SinceBoot() - result->asked <= allowed;
}

net::awaitable<Result<Recalled>> Resolver::Recall(v1::ResolveRequest request) {
  // In this order, as in Resolve().
  std::optional<Resolved> kept = overlay_.Find(KeyOf(request), parts_.replica.position());
  auto read = [this, request] { return parts_.rows.Answer(request); };
  CO_TRY(v1::ResolveResponse rows, co_await Blocking(parts_.pool, std::move(read)));
  if (kept.has_value() && !HasPassed(rows.head(), MarkOf(*kept))) {
    co_return Recalled{std::move(kept->answer), kept->asked};
  }
  const bool trusted = overlay_.IsComplete(rows.head());
  co_return Recalled{std::move(rows), std::nullopt, trusted};
}

std::vector<std::pair<std::string, Resolved>> Resolver::KeptTags(
    const RepositoryName& repository) const {
  const std::string prefix = "reference " + repository.ToString() + ' ';
  auto kept = overlay_.FindAll(prefix, parts_.replica.position());
  for (auto& [key, resolved] : kept) key.erase(0, prefix.size());
  std::erase_if(kept, [](const auto& entry) { return entry.first.contains(':'); });  // a digest
  return kept;
}

std::set<std::string> Resolver::KeptRepositories() const {
  std::set<std::string> repositories;
  for (const auto& [key, resolved] : overlay_.FindAll("", parts_.replica.position())) {
    if (!resolved.answer.repository_known()) continue;
    const size_t begin = key.find(' ') + 1;
    repositories.insert(key.substr(begin, key.find(' ', begin) - begin));
  }
  return repositories;
}

net::awaitable<void> Resolver::Learn(v1::ResolveRequest question, v1::ResolveResponse answer,
                                     std::chrono::nanoseconds asked) {
  const Resolved resolved{std::move(answer), asked, parts_.replica.position().epoch()};
  const Result<void> kept = co_await Keep(KeyOf(question), resolved);
  // The write was done, whatever the next process knows of it.
  if (!kept.has_value()) overlay_.Put(KeyOf(question), resolved, parts_.replica.position());
}

net::awaitable<Result<Resolved>> Resolver::Ask(std::string key, v1::ResolveRequest request,
                                               std::string request_id) {
  Resolved resolved;
  resolved.asked = parts_.clock.SinceBoot();
  rpc::CallOptions options{.operation = "asking the store for the " + key,
                           .timeout = kDeadline,
                           .request_id = std::move(request_id)};
  auto invoke = [store = parts_.channel->Now()](auto... arguments) {
    store->replication.async()->Resolve(arguments...);
  };
  auto answer = co_await rpc::Call<v1::ResolveResponse>(invoke, request, std::move(options));
  if (!answer.has_value()) {
    failed_.Increment();
    co_return Error{ErrorCode::kUnavailable, std::move(answer).error().message};
  }
  resolved.answer = *std::move(answer);
  if (request.what_case() != v1::ResolveRequest::kHead) {
    (resolved.answer.found() ? found_ : absent_).Increment();
    resolved.replica_epoch = parts_.replica.position().epoch();
    CO_TRY_VOID(co_await Keep(key, resolved));
  }
  co_return resolved;
}

// The mark first: nobody is shown what the next process could not know of. A disk that takes no
// writes costs that knowledge and not the answer: a pull does not fail because the disk is full.
net::awaitable<Result<void>> Resolver::Keep(std::string key, Resolved resolved) {
  const Mark mark = MarkOf(resolved);
  if (!HasPassed(parts_.replica.position(), mark)) {
    auto raise = [this, mark] { return shown_.Raise(mark); };
    const Result<void> raised = co_await Blocking(parts_.pool, std::move(raise));
    if (!raised.has_value()) {
      if (raised.error().code == ErrorCode::kTooManyRequests) co_return raised.error();
      parts_.log.Warning("after a restart, answers may be older than those shown before it",
                         {{"cause", raised.error().message}});
    }
  }
  overlay_.Put(key, resolved, parts_.replica.position());
  co_return Result<void>();
}

}  // namespace outport::node
