#include "registry/http/connection/listener.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outport::http {
namespace {

using net::ip::tcp;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAcceptPause{200};
constexpr std::chrono::seconds kCutPatience{1};
constexpr std::chrono::minutes kWarningInterval{1};
constexpr size_t kLeavingConnections = 64;  // that are displaced and still end

Result<tcp::endpoint> ParseEndpoint(const std::string& listen) {
  TRY(const HostPort parsed, ParseHostPort(listen));
  boost::system::error_code bad;
  const auto address = net::ip::make_address(parsed.host, bad);
  if (!bad) return tcp::endpoint(address, parsed.port);
  return Error{ErrorCode::kInvalidArgument, "'" + listen +
                                                "' is not an address to listen on: it needs an IP "
                                                "address, as in 0.0.0.0:5000 or [::]:5000"};
}

net::ip::address PeerOf(const tcp::socket& socket) {
  boost::system::error_code gone;
  return NetworkOf(socket.remote_endpoint(gone).address());
}

// Out of file descriptors or memory: accepting again at once would only spin.
bool IsExhaustion(const boost::system::error_code& failure) {
  return failure == net::error::no_descriptors || failure == net::error::no_buffer_space ||
         failure == net::error::no_memory ||
         failure == boost::system::errc::too_many_files_open_in_system;
}

}  // namespace

Listener::Listener(net::any_io_executor executor, Options options, Metrics& metrics, Log log,
                   Serve serve)
    : executor_(executor),
      options_(std::move(options)),
      log_(log.With({{"server", options_.server}})),
      serve_(std::move(serve)),
      open_(metrics.Gauge("outport_http_connections_open", "Open connections.",
                          {{"server", options_.server}})),
      refused_(metrics.Counter("outport_http_connections_rejected_total",
                               "Connections closed at accept because no slot was free.",
                               {{"server", options_.server}})),
      displaced_(metrics.Counter(
          "outport_http_connections_evicted_total",
          "Unauthenticated connections evicted to free a slot for a new connection.",
          {{"server", options_.server}})),
      accept_failures_(metrics.Counter("outport_http_accept_failures_total",
                                       "Connections that could not be accepted.",
                                       {{"server", options_.server}})),
      accepting_(executor, log_),
      connections_(executor, log_) {}

Listener::~Listener() { Stop(steady_clock::now()); }

Result<void> Listener::Listen() {
  TRY(const tcp::endpoint endpoint, ParseEndpoint(options_.listen));
  boost::system::error_code failure;
  tcp::acceptor acceptor(executor_);
  acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(net::socket_base::reuse_address(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(net::socket_base::max_listen_connections, failure);
  if (failure) {
    return Error{ErrorCode::kFailedPrecondition,
                 "listening on " + options_.listen + ": " + failure.message()};
  }
  port_ = acceptor.local_endpoint(failure).port();
  acceptor_ = std::move(acceptor);
  return {};
}

void Listener::Start() {
  accepting_.Spawn([this] { return AcceptLoop(); });
}

net::awaitable<void> Listener::AcceptLoop() {
  co_await net::this_coro::throw_if_cancelled(false);
  net::steady_timer pause(co_await net::this_coro::executor);
  for (;;) {
    boost::system::error_code failure;
    tcp::socket socket =
        co_await acceptor_->async_accept(net::redirect_error(net::use_awaitable, failure));
    if (failure == net::error::operation_aborted) break;
    if (!failure) {
      Admit(std::move(socket));
      continue;
    }
    accept_failures_.Increment();
    if (!IsExhaustion(failure)) continue;
    log_.Warning("connections cannot be accepted", {{"cause", failure.message()}});
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(net::redirect_error(net::use_awaitable, failure));
    if (failure) break;
  }
  boost::system::error_code ignored;
  acceptor_->close(ignored);
}

void Listener::Admit(tcp::socket socket) {
  const net::ip::address peer = PeerOf(socket);
  if (!TakePlace(peer)) {
    refused_.Increment();
    WarnOfRefusal(peer);
    return;
  }
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  connections_.Spawn([this, peer, accepted = std::move(socket)]() mutable {
    return Run(std::move(accepted), peer);
  });
}

bool Listener::TakePlace(const net::ip::address& peer) {
  if (connections_.Count() >= options_.connections + kLeavingConnections) return false;
  MutexLock lock(mutex_);
  const auto found = places_of_.find(peer);
  const size_t of_peer = found == places_of_.end() ? 0 : found->second;
  if (of_peer >= options_.connections_of_one_address) {
    if (!DisplaceStranger(&peer)) return false;
  } else if (places_ >= options_.connections) {
    if (!DisplaceStranger(nullptr)) return false;
  }
  ++places_;
  ++places_of_[peer];
  return true;
}

void Listener::LeavePlace(const net::ip::address& peer) {
  --places_;
  const auto found = places_of_.find(peer);
  if (--found->second == 0) places_of_.erase(found);
}

// The oldest one, of `peer` if given.
bool Listener::DisplaceStranger(const net::ip::address* peer) {
  for (const auto& lifeline : lifelines_) {
    if (peer != nullptr && lifeline->peer() != *peer) continue;
    if (!lifeline->Displace()) continue;
    LeavePlace(lifeline->peer());
    displaced_.Increment();
    return true;
  }
  return false;
}

void Listener::WarnOfRefusal(const net::ip::address& peer) {
  const auto now = steady_clock::now();
  if (now < warned_ + kWarningInterval) return;
  warned_ = now;
  log_.Warning("connections are refused because too many are open",
               {{"address", peer.to_string()},
                {"open", connections_.Count()},
                {"limit", options_.connections},
                {"limit_of_one_address", options_.connections_of_one_address}});
}

net::awaitable<void> Listener::Run(tcp::socket socket, net::ip::address peer) {
  co_await net::this_coro::throw_if_cancelled(false);
  const auto strand = co_await net::this_coro::executor;
  const std::shared_ptr<Lifeline> lifeline = AddLifeline(strand, peer);
  open_.Increment();
  try {
    co_await serve_(std::move(socket), *lifeline);
  } catch (const std::exception& exception) {
    log_.Error("a connection ended with an exception", {{"cause", exception.what()}});
  }
  open_.Decrement();
  RemoveLifeline(lifeline);
}

std::shared_ptr<Lifeline> Listener::AddLifeline(const net::any_io_executor& strand,
                                                const net::ip::address& peer) {
  MutexLock lock(mutex_);
  return lifelines_.emplace_back(std::make_shared<Lifeline>(strand, peer, stopping_));
}

void Listener::RemoveLifeline(const std::shared_ptr<Lifeline>& lifeline) {
  MutexLock lock(mutex_);
  lifelines_.remove(lifeline);
  if (!lifeline->displaced()) LeavePlace(lifeline->peer());
}

void Listener::RecheckAll() {
  MutexLock lock(mutex_);
  for (const auto& lifeline : lifelines_) lifeline->Recheck();
}

void Listener::StopLifelines() {
  MutexLock lock(mutex_);
  stopping_ = true;
  for (const auto& lifeline : lifelines_) lifeline->Stop();
}

void Listener::Stop(steady_clock::time_point deadline) {
  // First the door, so that nobody comes in behind the stop.
  while (!accepting_.DrainBlocking(steady_clock::now())) {
    accepting_.Cancel();
    accepting_.DrainBlocking(steady_clock::now() + kCutPatience);
  }
  acceptor_.reset();
  StopLifelines();
  connections_.DrainBlocking(deadline);
  while (connections_.Count() > 0) {
    log_.Warning("connections are cut", {{"count", connections_.Count()}});
    connections_.Cancel();
    connections_.DrainBlocking(steady_clock::now() + kCutPatience);
  }
}

}  // namespace outport::http
