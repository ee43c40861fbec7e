#include "registry/http/session.h"

#include "registry/http/api/handlers.h"

namespace outport::http {
namespace {

using std::chrono::steady_clock;

constexpr size_t kLoggedPathBytes = 512;

// The path alone: queries are the client's business, and may hold what logs must not.
std::string_view LoggedPath(std::string_view target) {
  return target.substr(0, std::min(target.find('?'), kLoggedPathBytes));
}

}  // namespace

// One request and its answer.
struct Session::Exchange {
  Exchange(Connection& connection, const RequestHead& request_head)
      : head(request_head),
        body(connection, head),
        response(connection.stream(), head, body),
        id(RandomHex(8)) {
    response.Set("Docker-Distribution-Api-Version", "registry/2.0");
    response.Set("X-Request-Id", id);
  }

  const steady_clock::time_point begun = steady_clock::now();
  const RequestHead& head;
  RequestBody body;
  Response response;
  const std::string id;
  std::string user;            // whom the logs name
  std::optional<Route> route;  // once it was let in
  std::optional<Noun> noun;
};

Session::Session(const Shared& shared, Stream& stream, Lifeline& lifeline)
    : shared_(shared),
      stream_(stream),
      lifeline_(lifeline),
      connection_(stream, shared.limits),
      address_(stream.PeerAddress()),
      identity_(Error{ErrorCode::kCertificateInvalid, "No required SSL certificate was sent"}) {
  RefuseRevoked(stream_.tls(), shared_.gate.directory);
  lifeline_.SetRecheck([this] { Recheck(); });
}

Session::~Session() { lifeline_.SetRecheck(nullptr); }

net::awaitable<Result<void>> Session::Handshake() {
  const Lifeline::Idle idle(lifeline_, stream_);
  co_return co_await stream_.Handshake(steady_clock::now() + shared_.limits.handshake);
}

net::awaitable<Result<std::optional<RequestHead>>> Session::NextHead() {
  const Lifeline::Idle idle(lifeline_, stream_);
  co_return co_await connection_.ReadHead();
}

net::awaitable<void> Session::Run() {
  const Result<void> shaken = co_await Handshake();
  if (!shaken.has_value()) {
    shared_.metrics.RecordHandshakeFailure();
    const std::string refusal = HandshakeRefusal(stream_.tls());
    if (refusal.empty()) {
      shared_.log.Debug("handshake failed",
                        {{"address", address_}, {"cause", shaken.error().message}});
    } else {
      shared_.log.Info("a client certificate is refused in the handshake",
                       {{"address", address_}, {"cause", refusal}});
    }
    co_return;
  }
  Identify();
  // Who is out already is told so, and not cut meanwhile.
  if (Result<void> counts = CheckCertificate(); !counts.has_value()) identity_ = counts.error();
  if (identity_.has_value() && !identity_->name.empty()) lifeline_.Recognise();
  for (;;) {
    const auto head = co_await NextHead();
    if (!head.has_value()) {
      co_await Refuse(head.error());
      co_return;
    }
    if (!head->has_value()) break;
    const bool another = co_await Serve(**head);
    if (!another) co_return;
    if (lifeline_.stopping()) break;
  }
  co_await stream_.Close(/*linger=*/false);
}

net::awaitable<bool> Session::Serve(const RequestHead& head) {
  Exchange exchange(connection_, head);
  if (lifeline_.stopping()) exchange.response.CloseAfter();
  current_ = &exchange;
  Result<void> outcome = co_await AnswerCaught(exchange);
  current_ = nullptr;
  co_return co_await Conclude(exchange, std::move(outcome));
}

net::awaitable<void> Session::Refuse(const Error& error) {
  const RequestHead nothing;
  Exchange exchange(connection_, nothing);
  exchange.response.CloseAfter();
  (void)co_await Conclude(exchange, error);
}

net::awaitable<Result<void>> Session::AnswerCaught(Exchange& exchange) {
  std::string cause;
  try {
    co_return co_await Answer(exchange);
  } catch (const std::exception& exception) {
    cause = exception.what();
  }
  co_return Error{ErrorCode::kInternal, "an exception: " + cause};
}

void Session::Identify() {
  judge_ = shared_.tls.load();
  identity_ = judge_->PeerIdentity(stream_.tls(), shared_.gate.clock.Wall());
}

Result<void> Session::CheckCertificate() const {
  if (!identity_.has_value()) return identity_.error();
  return http::CheckCertificate(shared_.gate, *identity_);
}

Result<void> Session::CheckAgain() const {
  TRY_VOID(CheckCertificate());
  if (!sender_.has_value()) return {};
  if (current_ == nullptr || !current_->route.has_value()) {
    return CheckMayStay(shared_.gate, *sender_, identity_->name);
  }
  return CheckMayGoOn(shared_.gate, *sender_, identity_->name, *current_->route,
                      current_->head.method);
}

// On the connection's strand, between two steps of Run().
void Session::Recheck() {
  if (recalled_ || !identity_.has_value()) return;  // nothing is given to whoever it is
  if (judge_ != shared_.tls.load()) Identify();
  Result<void> stays = CheckAgain();
  const bool under_way = current_ != nullptr && current_->route.has_value();
  if (stays.has_value() && under_way) stays = shared_.standing();
  if (stays.has_value()) return;
  recalled_ = true;
  shared_.metrics.RecordRecall();
  shared_.log.Info("a connection is cut, since access was taken away",
                   {{"address", address_},
                    {"certificate", identity_.has_value() ? identity_->name : std::string()},
                    {"user", sender_.has_value() ? sender_->Name() : std::string()},
                    {"cause", stays.error().message}});
  stream_.Cut();
}

// Access comes first, in the order in which it is told: certificate, user, grant. Until the first
// two are settled nothing of the request is looked at but its header.
net::awaitable<Result<void>> Session::Answer(Exchange& exchange) {
  const RequestHead& head = exchange.head;
  Response& response = exchange.response;
  if (const Result<void> good = CheckCertificate(); !good.has_value()) {
    response.CloseAfter();
    co_return good.error();
  }
  CO_TRY_VOID(shared_.standing());
  CO_TRY(sender_,
         co_await Enter(shared_.gate, identity_->name, lifeline_.peer().to_string(), head));
  if (sender_->user != nullptr) lifeline_.Recognise();
  exchange.user = sender_->Name();
  CO_TRY(const Route route, ParseRoute(head.target));
  exchange.noun = route.noun;
  if (!Allows(route.noun, head.method)) {
    response.Set("Allow", AllowedMethods(route.noun));
    co_return Error{ErrorCode::kUnsupported, "the path of this " +
                                                 std::string(ToString(route.noun)) + " takes " +
                                                 std::string(AllowedMethods(route.noun)) +
                                                 ", and not the method that was sent"};
  }
  exchange.route = route;
  // Once more what the directory says: it may have changed while the password was verified.
  CO_TRY_VOID(CheckAgain());
  CO_TRY(const uint64_t min_sequence, ParseMinSequence(head));
  const Caller caller{.user = exchange.user,
                      .password = sender_->password,
                      .certificate = identity_->name,
                      .address = address_,
                      .request_id = exchange.id,
                      .min_sequence = min_sequence};
  const Request request{.head = head,
                        .route = route,
                        .caller = caller,
                        .rights = sender_->rights,
                        .body = exchange.body,
                        .manifest_bytes = shared_.manifest_bytes};
  const Handler handler = FindHandler(route.noun, head.method);
  co_return co_await handler(shared_.registry, request, response);
}

net::awaitable<bool> Session::Conclude(Exchange& exchange, Result<void> outcome) {
  Response& response = exchange.response;
  std::optional<Error> error;
  if (!outcome.has_value()) error = outcome.error();
  if (error.has_value() && !response.begun()) {
    if (error->code == ErrorCode::kUnauthorized) {
      response.Set("WWW-Authenticate", "Basic realm=\"outport\"");
    }
    // The path takes the method, but not at this registry: a node's (RFC 9110 §15.5.6).
    if (error->code == ErrorCode::kUnsupported && exchange.noun.has_value() &&
        Allows(*exchange.noun, exchange.head.method)) {
      const bool writes_only = *exchange.noun == Noun::kUploads || *exchange.noun == Noun::kUpload;
      response.Set("Allow", writes_only ? "" : "GET, HEAD");
    }
    outcome = co_await response.SendError(*error, exchange.id);
  }
  const bool cut = !outcome.has_value();
  if (cut) {
    if (!error.has_value()) error = outcome.error();
    shared_.metrics.RecordCut();
    stream_.Cut();
  }
  Record(exchange, error);
  if (cut) co_return false;
  if (response.closes()) {
    // An early answer must not be overtaken by the reset that unread bytes cause: of a body, or of
    // requests that were sent behind the last one.
    const bool linger = error.has_value() || !exchange.body.finished() || !lifeline_.stopping();
    co_await stream_.Close(linger);
    co_return false;
  }
  const Result<void> drained = co_await exchange.body.Drain();
  co_return drained.has_value();
}

void Session::Record(const Exchange& exchange, const std::optional<Error>& error) {
  const auto took = steady_clock::now() - exchange.begun;
  const int status = exchange.response.status();
  shared_.metrics.Record(exchange.head.method, exchange.noun, status, took);
  const uint64_t received = stream_.received_bytes();
  const uint64_t sent = stream_.sent_bytes();
  shared_.metrics.RecordBytes(received - received_before_, sent - sent_before_);
  received_before_ = received;
  sent_before_ = sent;

  const double took_ms = std::chrono::duration<double, std::milli>(took).count();
  const Log log = shared_.log.With({{"method", ToString(exchange.head.method)},
                                    {"path", LoggedPath(exchange.head.target)},
                                    {"status", status},
                                    {"bytes", exchange.response.body_bytes()},
                                    {"took_ms", took_ms},
                                    {"user", exchange.user},
                                    {"address", address_},
                                    {"request_id", exchange.id}});
  if (!error.has_value()) {
    log.Info("request");
    return;
  }
  const ErrorTraits& traits = TraitsOf(error->code);
  if (traits.http_status == 500) {
    log.Error("request failed", {{"error", traits.name}, {"cause", error->message}});
  } else {
    log.Info("request", {{"error", traits.name}, {"cause", error->message}});
  }
}

}  // namespace outport::http
