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
constexpr std::chrono::seconds kCloseTime{1};
constexpr std::chrono::minutes kWarningInterval{1};
constexpr size_t kEvictedConnections = 64;  // most connections that are evicted but not closed yet

Result<tcp::endpoint> ParseEndpoint(const std::string& listen) {
  TRY(const HostPort parsed, ParseHostPort(listen));
  boost::system::error_code bad;
  const auto address = net::ip::make_address(parsed.host, bad);
  if (!bad) return tcp::endpoint(address, parsed.port);
  return Error{ErrorCode::kInvalidArgument, "'" + listen +
                                                "' is not a valid listen address: it needs an IP "
                                                "address, as in 0.0.0.0:5000 or [::]:5000"};
}

net::ip::address ClientNetworkOf(const tcp::socket& socket) {
  boost::system::error_code gone;
  return NetworkOf(socket.remote_endpoint(gone).address());
}

// Whether the process lacks file descriptors or memory. The accept loop must then pause.
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
      rejected_(metrics.Counter("outport_http_connections_rejected_total",
                                "Connections closed at accept because no slot was free.",
                                {{"server", options_.server}})),
      evicted_(metrics.Counter(
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
    log_.Warning("accept failed", {{"error", failure.message()}});
    pause.expires_after(kAcceptPause);
    co_await pause.async_wait(net::redirect_error(net::use_awaitable, failure));
    if (failure) break;
  }
  boost::system::error_code ignored;
  acceptor_->close(ignored);
}

void Listener::Admit(tcp::socket socket) {
  const net::ip::address address = ClientNetworkOf(socket);
  if (!AcquireSlot(address)) {
    rejected_.Increment();
    WarnOfRejection(address);
    return;
  }
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  connections_.Spawn([this, address, accepted = std::move(socket)]() mutable {
    return Run(std::move(accepted), address);
  });
}

bool Listener::AcquireSlot(const net::ip::address& address) {
  if (connections_.Count() >= options_.connections + kEvictedConnections) return false;
  MutexLock lock(mutex_);
  const auto found = taken_by_address_.find(address);
  const size_t of_address = found == taken_by_address_.end() ? 0 : found->second;
  if (of_address >= options_.connections_of_one_address) {
    if (!EvictUnauthenticated(&address)) return false;
  } else if (taken_ >= options_.connections) {
    if (!EvictUnauthenticated(nullptr)) return false;
  }
  ++taken_;
  ++taken_by_address_[address];
  return true;
}

void Listener::ReleaseSlot(const net::ip::address& address) {
  --taken_;
  const auto found = taken_by_address_.find(address);
  if (--found->second == 0) taken_by_address_.erase(found);
}

bool Listener::EvictUnauthenticated(const net::ip::address* address) {
  for (const auto& slot : slots_) {
    if (address != nullptr && slot->address() != *address) continue;
    if (!slot->Evict()) continue;
    ReleaseSlot(slot->address());
    evicted_.Increment();
    return true;
  }
  return false;
}

void Listener::WarnOfRejection(const net::ip::address& address) {
  const auto now = steady_clock::now();
  if (now < warned_ + kWarningInterval) return;
  warned_ = now;
  log_.Warning("connection rejected: too many connections",
               {{"address", address.to_string()},
                {"open", connections_.Count()},
                {"limit", options_.connections},
                {"limit_of_one_address", options_.connections_of_one_address}});
}

net::awaitable<void> Listener::Run(tcp::socket socket, net::ip::address address) {
  co_await net::this_coro::throw_if_cancelled(false);
  const auto strand = co_await net::this_coro::executor;
  const std::shared_ptr<ConnectionSlot> slot = AddSlot(strand, address);
  open_.Increment();
  try {
    co_await serve_(std::move(socket), *slot);
  } catch (const std::exception& exception) {
    log_.Error("connection failed: unexpected exception", {{"error", exception.what()}});
  }
  open_.Decrement();
  RemoveSlot(slot);
}

std::shared_ptr<ConnectionSlot> Listener::AddSlot(const net::any_io_executor& strand,
                                                  const net::ip::address& address) {
  MutexLock lock(mutex_);
  return slots_.emplace_back(std::make_shared<ConnectionSlot>(strand, address, stopping_));
}

void Listener::RemoveSlot(const std::shared_ptr<ConnectionSlot>& slot) {
  MutexLock lock(mutex_);
  slots_.remove(slot);
  if (!slot->evicted()) ReleaseSlot(slot->address());
}

void Listener::RecheckAll() {
  MutexLock lock(mutex_);
  for (const auto& slot : slots_) slot->Recheck();
}

void Listener::StopAll() {
  MutexLock lock(mutex_);
  stopping_ = true;
  for (const auto& slot : slots_) slot->Stop();
}

void Listener::Stop(steady_clock::time_point deadline) {
  // Stop accepting first, so that no connection begins after StopAll().
  while (!accepting_.DrainBlocking(steady_clock::now())) {
    accepting_.Cancel();
    accepting_.DrainBlocking(steady_clock::now() + kCloseTime);
  }
  acceptor_.reset();
  StopAll();
  connections_.DrainBlocking(deadline);
  while (connections_.Count() > 0) {
    log_.Warning("closing connections after the deadline", {{"count", connections_.Count()}});
    connections_.Cancel();
    connections_.DrainBlocking(steady_clock::now() + kCloseTime);
  }
}

}  // namespace outport::http
