#include "node/freshness/resolver.h"

#include <utility>

#include "node/freshness/read_your_writes.h"
#include "node/upstream/store_stubs.h"
#include "registry/rpc/unary.h"

namespace outport::node {
namespace {

constexpr std::chrono::milliseconds kDeadline{1000};
// The store waits up to a second for a lock, and tries a few times.
constexpr std::chrono::milliseconds kTouchDeadline{3000};

v1::ResolveRequest ToMessage(const ResolveQuestion& question) {
  v1::ResolveRequest request;
  request.set_repository(question.repository.ToString());
  if (question.kind == ResolveQuestion::Kind::kBlob) {
    request.set_blob(ToString(question.reference));
  } else {
    request.set_reference(ToString(question.reference));
  }
  return request;
}

Result<ResolveAnswer> FromMessage(const ResolveQuestion& question,
                                  const v1::ResolveResponse& response) {
  ResolveAnswer answer{.content = std::nullopt, .repository_known = response.repository_known()};
  if (!response.found()) return answer;
  const Digest* asked = std::get_if<Digest>(&question.reference);
  TRY(Digest digest, asked != nullptr ? *asked : Digest::Parse(response.digest()));
  answer.content =
      ResolveAnswer::Content{std::move(digest), response.media_type(), response.size_bytes()};
  return answer;
}

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_node_resolves_total", "Resolve calls to the store, by result.",
                         {{"result", result}});
}

}  // namespace

std::optional<std::chrono::nanoseconds> LocalAnswer::Age(
    std::optional<std::chrono::nanoseconds> rows_age, std::chrono::nanoseconds now) const {
  if (asked.has_value()) return now - *asked;
  return trusted ? rows_age : std::nullopt;
}

Resolver::Resolver(Parts parts)
    : parts_(std::move(parts)),
      high_water_mark_(parts_.meta),
      leases_(parts_.clock),
      flights_(parts_.tasks, "lookups at the store", {.keys = parts_.limits.questions},
               2 * kDeadline),
      touches_(parts_.tasks, "lookups at the store before pushes",
               {.keys = parts_.limits.touches, .keys_of_holder = parts_.limits.touches_of_holder},
               2 * kTouchDeadline),
      found_(Count(parts_.metrics, "found")),
      absent_(Count(parts_.metrics, "absent")),
      failed_(Count(parts_.metrics, "failed")) {}

Result<void> Resolver::Recover() {
  TRY(const std::optional<Mark> mark, high_water_mark_.Load());
  if (mark.has_value()) overlay_.RestoreMark(*mark);
  return {};
}

net::awaitable<Result<StoreAnswer>> Resolver::Resolve(std::string request_id,
                                                      ResolveQuestion question) {
  return Ask(Kind::kResolve, {.request_id = std::move(request_id)}, std::move(question));
}

net::awaitable<Result<StoreAnswer>> Resolver::Ask(Kind kind, Asking asking,
                                                  ResolveQuestion question) {
  Flights::Work ask = [this, kind, question, request_id = std::move(asking.request_id)] {
    return AskStore(kind, question, request_id);
  };
  Flights& flights = kind == Kind::kTouch ? touches_ : flights_;
  CO_TRY(StoreAnswer resolved,
         co_await Share(flights, ToString(question), std::move(asking.holder), std::move(ask)));
  const bool absent_blob =
      question.kind == ResolveQuestion::Kind::kBlob && !resolved.answer.found();
  if (kind == Kind::kTouch && absent_blob) co_return resolved;
  // While the call was in progress, this node may have sent something newer: a later answer of the
  // store, or newer rows of the replica. Read the overlay before the rows: if an answer leaves the
  // overlay between the two reads, the rows have passed that answer.
  if (auto kept = overlay_.Find(question, parts_.replica.position())) resolved = *std::move(kept);
  auto read = [this, question] { return parts_.rows.Resolve(question); };
  CO_TRY(ReplicaRows::Answer rows, co_await Blocking(parts_.pool, std::move(read)));
  if (HasPassed(rows.position, resolved.mark())) {
    resolved.answer = std::move(rows.answer);
    resolved.position = std::move(rows.position);
  }
  co_return resolved;
}

net::awaitable<Result<StoreAnswer>> Resolver::ResolveFor(const Caller& caller,
                                                         ResolveQuestion question) {
  return AskFor(Kind::kResolve, caller, std::move(question));
}

net::awaitable<Result<StoreAnswer>> Resolver::Touch(const Caller& caller,
                                                    ResolveQuestion question) {
  return AskFor(Kind::kTouch, caller, std::move(question));
}

net::awaitable<Result<StoreAnswer>> Resolver::AskFor(Kind kind, const Caller& caller,
                                                     ResolveQuestion question) {
  const Asking asking{.request_id = caller.request_id, .holder = caller.holder};
  CO_TRY(StoreAnswer resolved, co_await Ask(kind, asking, question));
  if (resolved.position.sequence() < caller.min_sequence) {
    // The answer may come from a shared call that began before this request, so ask again.
    CO_TRY(resolved, co_await Ask(kind, asking, std::move(question)));
  }
  CO_TRY_VOID(RequireCallersChange(caller, resolved.position));
  co_return resolved;
}

net::awaitable<Result<v1::Position>> Resolver::ResolveHead(std::string request_id) {
  Flights::Work ask = [this, request_id] { return AskStoreForHead(request_id); };
  CO_TRY(StoreAnswer head, co_await Share(flights_, "head", {}, std::move(ask)));
  co_return std::move(head.position);
}

net::awaitable<Result<StoreAnswer>> Resolver::Share(Flights& flights, std::string key,
                                                    Holder holder, Flights::Work work) {
  auto outcome = co_await flights.Join(key, work, holder);
  if (outcome.joined && !MayShare(outcome.result)) {
    outcome = co_await flights.Join(key, work, holder);
  }
  co_return std::move(outcome.result);
}

// The answer to an earlier question may miss a push that came between the two questions. If the
// answer found the content, max_staleness allows that age.
bool Resolver::MayShare(const Result<StoreAnswer>& result) const {
  if (!result.has_value()) return true;
  const std::chrono::milliseconds allowed(parts_.replica.policy().max_staleness_ms());
  return result->answer.found() && parts_.clock.SinceBoot() - result->asked <= allowed;
}

net::awaitable<Result<LocalAnswer>> Resolver::FindLocal(ResolveQuestion question) {
  // Read the overlay before the rows, as in Resolve().
  std::optional<StoreAnswer> kept = overlay_.Find(question, parts_.replica.position());
  auto read = [this, question] { return parts_.rows.Resolve(question); };
  CO_TRY(ReplicaRows::Answer rows, co_await Blocking(parts_.pool, std::move(read)));
  if (kept.has_value() && !HasPassed(rows.position, kept->mark())) {
    co_return LocalAnswer{.answer = std::move(kept->answer), .asked = kept->asked};
  }
  const bool trusted = overlay_.IsComplete(rows.position);
  co_return LocalAnswer{
      .answer = std::move(rows.answer), .asked = std::nullopt, .trusted = trusted};
}

std::vector<std::pair<Tag, StoreAnswer>> Resolver::OverlayTags(
    const RepositoryName& repository) const {
  return overlay_.FindTags(repository, parts_.replica.position());
}

std::set<RepositoryName> Resolver::OverlayRepositories() const {
  return overlay_.FindRepositories(parts_.replica.position());
}

net::awaitable<void> Resolver::RecordWrite(ResolveQuestion question, ResolveAnswer answer,
                                           v1::Position position, std::chrono::nanoseconds asked) {
  const StoreAnswer written{.answer = std::move(answer),
                            .position = std::move(position),
                            .asked = asked,
                            .replica_epoch = parts_.replica.position().epoch()};
  const Result<void> kept = co_await Keep(question, written);
  // If Keep() fails, the next process will not know of the write. The store has committed the write
  // anyway, so this process shows it.
  if (!kept.has_value()) overlay_.Put(question, written, parts_.replica.position());
}

net::awaitable<Result<v1::ResolveResponse>> Resolver::Call(Kind kind, v1::ResolveRequest request,
                                                           std::string what,
                                                           std::string request_id) {
  rpc::CallOptions options{.operation = "asking the store for " + what,
                           .timeout = kind == Kind::kTouch ? kTouchDeadline : kDeadline,
                           .request_id = std::move(request_id)};
  auto invoke = [store = parts_.channel->Stubs()](auto... arguments) {
    store->replication.async()->Resolve(arguments...);
  };
  auto response = co_await rpc::Call<v1::ResolveResponse>(invoke, request, std::move(options));
  if (!response.has_value()) {
    failed_.Increment();
    co_return Error{ErrorCode::kUnavailable, std::move(response).error().message};
  }
  co_return response;
}

net::awaitable<Result<StoreAnswer>> Resolver::AskStoreForHead(std::string request_id) {
  StoreAnswer head{.answer = {}, .position = {}, .asked = parts_.clock.SinceBoot()};
  v1::ResolveRequest request;
  request.set_head(true);
  CO_TRY(v1::ResolveResponse response,
         co_await Call(Kind::kResolve, std::move(request), "its head", std::move(request_id)));
  head.position = std::move(*response.mutable_head());
  co_return head;
}

net::awaitable<Result<StoreAnswer>> Resolver::AskStore(Kind kind, ResolveQuestion question,
                                                       std::string request_id) {
  StoreAnswer resolved{.answer = {}, .position = {}, .asked = parts_.clock.SinceBoot()};
  v1::ResolveRequest request = ToMessage(question);
  request.set_touch(kind == Kind::kTouch);
  CO_TRY(v1::ResolveResponse response,
         co_await Call(kind, std::move(request), ToString(question), std::move(request_id)));
  Result<ResolveAnswer> answer = FromMessage(question, response);
  if (!answer.has_value()) {
    failed_.Increment();
    co_return Error{ErrorCode::kUnavailable, "asking the store for " + ToString(question) + ": " +
                                                 std::move(answer).error().message};
  }
  resolved.answer = *std::move(answer);
  (resolved.answer.found() ? found_ : absent_).Increment();
  resolved.position = std::move(*response.mutable_head());
  resolved.replica_epoch = parts_.replica.position().epoch();
  if (resolved.answer.found() && response.lease_left_ms() > 0) {
    leases_.Record(resolved.position.epoch(),
                   {question.repository, question.kind, resolved.answer.content->digest},
                   resolved.asked, std::chrono::milliseconds(response.lease_left_ms()));
  }
  CO_TRY_VOID(co_await Keep(std::move(question), resolved));
  co_return resolved;
}

// Raises the mark first, so that the next process knows of every answer that a client has seen. On
// a read-only disk the node answers without that guarantee, because a full disk must not make pulls
// fail.
net::awaitable<Result<void>> Resolver::Keep(ResolveQuestion question, StoreAnswer answer) {
  const Mark mark = answer.mark();
  if (!HasPassed(parts_.replica.position(), mark)) {
    auto raise = [this, mark] { return high_water_mark_.Raise(mark); };
    const Result<void> raised = co_await Blocking(parts_.pool, std::move(raise));
    if (!raised.has_value()) {
      if (raised.error().code == ErrorCode::kTooManyRequests) co_return raised.error();
      parts_.log.Warning("high-water mark not written: answers may be older after a restart",
                         {{"error", raised.error().message}});
    }
  }
  overlay_.Put(question, answer, parts_.replica.position());
  co_return Result<void>();
}

}  // namespace outport::node
