#include "registry/http/session.h"

#include "registry/access/holder.h"
#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"

namespace outport::http {
namespace {

using std::chrono::steady_clock;

constexpr size_t kLoggedPathBytes = 512;

// Returns the path of `target` for the log. Omits the query, because it may contain secrets.
std::string_view LoggedPath(std::string_view target) {
  return target.substr(0, std::min(target.find_first_of("?&"), kLoggedPathBytes));
}

Purpose PurposeOf(const Route& route, Method method) {
  if (route.repository.has_value()) {
    return RepositoryAccess{*route.repository, RequiredAction(route.noun, method)};
  }
  if (route.noun == Noun::kPing) return PingAccess{};
  return CatalogAccess{};
}

// Returns the value of Caller::may_push.
bool MayPush(const Admission& admission, const Route& route, Method method) {
  if (method == Method::kGet || !route.repository.has_value()) return false;
  return admission.rights().Allows(Action::kPush, *route.repository);
}

}  // namespace

// One request and its response.
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
  std::string user;  // Sender::name, for the log
  std::optional<Noun> noun;
  std::optional<Admission> admission;  // set when the request is admitted
};

Session::Session(const Shared& shared, Stream& stream, ConnectionSlot& slot)
    : shared_(shared),
      stream_(stream),
      slot_(slot),
      connection_(stream, shared.limits),
      address_(stream.PeerAddress()),
      peer_(shared.gate.directory, shared.gate.clock, slot.address().to_string()) {
  RejectRevoked(stream_.tls(), shared_.gate.directory);
  slot_.SetRecheck([this] { Recheck(); });
}

Session::~Session() { slot_.SetRecheck(nullptr); }

net::awaitable<Result<void>> Session::Handshake() {
  const ConnectionSlot::Idle idle(slot_, stream_);
  co_return co_await stream_.Handshake(steady_clock::now() + shared_.limits.handshake);
}

net::awaitable<Result<std::optional<RequestHead>>> Session::NextHead() {
  const ConnectionSlot::Idle idle(slot_, stream_);
  co_return co_await connection_.ReadHead();
}

net::awaitable<void> Session::Run() {
  const Result<void> handshake = co_await Handshake();
  if (!handshake.has_value()) {
    shared_.metrics.RecordHandshakeFailure();
    const std::string rejection = HandshakeRejection(stream_.tls());
    if (rejection.empty()) {
      shared_.log.Debug("handshake failed",
                        {{"address", address_}, {"error", handshake.error().message}});
    } else {
      shared_.log.Info("client certificate rejected",
                       {{"address", address_}, {"error", rejection}});
    }
    co_return;
  }
  Identify();
  // If the certificate is already expired or revoked, do not drop the connection. Answer the first
  // request with the reason.
  if (const auto accepted = peer_.Check(); !accepted.has_value()) peer_.Identify(accepted.error());
  if (!peer_.certificate_name().empty()) slot_.MarkAuthenticated();
  for (;;) {
    const auto head = co_await NextHead();
    if (!head.has_value()) {
      co_await Reject(head.error());
      co_return;
    }
    if (!head->has_value()) break;
    const bool another = co_await Serve(**head);
    if (!another) co_return;
    if (slot_.stopping()) break;
  }
  co_await stream_.Close(/*linger=*/false);
}

net::awaitable<bool> Session::Serve(const RequestHead& head) {
  Exchange exchange(connection_, head);
  if (slot_.stopping()) exchange.response.CloseAfter();
  current_ = &exchange;
  Result<void> outcome = co_await AnswerCaught(exchange);
  current_ = nullptr;
  co_return co_await Conclude(exchange, std::move(outcome));
}

net::awaitable<void> Session::Reject(const Error& error) {
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
  co_return Error{ErrorCode::kInternal, "unexpected exception: " + cause};
}

void Session::Identify() {
  tls_ = shared_.tls.load();
  peer_.Identify(tls_->PeerIdentity(stream_.tls(), shared_.gate.clock.Wall()));
}

Result<void> Session::CheckAccess() const {
  if (current_ != nullptr && current_->admission.has_value()) return current_->admission->Recheck();
  if (sender_.has_value()) return sender_->Recheck();
  TRY_VOID(peer_.Check());
  return {};
}

// Runs on the connection's strand while Run() is suspended.
void Session::Recheck() {
  // Without an accepted certificate, the session rejects every request, so there is no access to
  // revoke.
  if (revoked_ || !peer_.identity().has_value()) return;
  if (tls_ != shared_.tls.load()) Identify();
  const Result<void> access = CheckAccess();
  if (access.has_value()) return;
  revoked_ = true;
  shared_.metrics.RecordRevocation();
  shared_.log.Info("connection cut: access revoked",
                   {{"address", address_},
                    {"certificate", peer_.certificate_name()},
                    {"user", sender_.has_value() ? sender_->name : std::string()},
                    {"error", access.error().message}});
  stream_.Reset();
}

// Authenticates the sender by certificate and user, and only then parses the path. Checks the grant
// last.
net::awaitable<Result<void>> Session::Answer(Exchange& exchange) {
  const RequestHead& head = exchange.head;
  Response& response = exchange.response;
  Result<Sender> sender =
      co_await Authenticate(shared_.gate, peer_, ParseAuthorization(head.authorization.text()));
  if (!sender.has_value()) {
    if (sender.error().code == ErrorCode::kCertificateInvalid) response.CloseAfter();
    co_return sender.error();
  }
  sender_ = *std::move(sender);
  if (sender_->user != nullptr) slot_.MarkAuthenticated();
  exchange.user = sender_->name;
  CO_TRY(const Route route, ParseRoute(head.target));
  exchange.noun = route.noun;
  if (!Allows(route.noun, head.method)) {
    response.Set("Allow", AllowedMethods(route.noun));
    co_return Error{ErrorCode::kUnsupported,
                    "this path allows only " + std::string(AllowedMethods(route.noun))};
  }
  CO_TRY(exchange.admission, Admit(*sender_, PurposeOf(route, head.method)));
  CO_TRY(const uint64_t min_sequence, ParseMinSequence(head));
  const Caller caller{.user = exchange.user,
                      .password = sender_->password,
                      .certificate_name = std::string(peer_.certificate_name()),
                      .address = address_,
                      .holder = HolderOf(*sender_),
                      .request_id = exchange.id,
                      .min_sequence = min_sequence,
                      .may_push = MayPush(*exchange.admission, route, head.method),
                      .recheck = [&exchange] { return exchange.admission->Recheck(); }};
  const Request request{.head = head,
                        .route = route,
                        .caller = caller,
                        .rights = exchange.admission->rights(),
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
    if (const auto challenge = ChallengeOf(*error); challenge.has_value()) {
      response.Set("WWW-Authenticate", std::string(*challenge));
    }
    // The path allows the method, but this registry does not, because it is a node that only serves
    // pulls. The response must list the methods that the node does allow (RFC 9110 §15.5.6).
    if (error->code == ErrorCode::kUnsupported && exchange.noun.has_value() &&
        Allows(*exchange.noun, exchange.head.method)) {
      const bool writes_only = *exchange.noun == Noun::kUploads || *exchange.noun == Noun::kUpload;
      response.Set("Allow", writes_only ? "" : "GET, HEAD");
    }
    outcome = co_await response.SendError(*error, exchange.id);
  }
  const bool truncated = !outcome.has_value();
  if (truncated) {
    if (!error.has_value()) error = outcome.error();
    shared_.metrics.RecordTruncation();
    stream_.Reset();
  }
  Record(exchange, error);
  if (truncated) co_return false;
  if (response.closes()) {
    // If the session closes with unread bytes of a body or of further requests, the kernel sends a
    // reset, which could overtake the response. Lingering reads and discards these bytes.
    const bool linger = error.has_value() || !exchange.body.finished() || !slot_.stopping();
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
    log.Info("request served");
    return;
  }
  const ErrorTraits& traits = TraitsOf(error->code);
  if (traits.http_status == 500) {
    log.Error("request failed", {{"code", traits.name}, {"error", error->message}});
  } else {
    log.Info("request served", {{"code", traits.name}, {"error", error->message}});
  }
}

}  // namespace outport::http
