#include "registry/http/connection/transport.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <system_error>

namespace outport::http {
namespace {

constexpr size_t kMovedBeforeYield = 4 << 20;
constexpr size_t kKeptOutputBytes = 16 << 10;  // buffer that an idle connection may keep

Error Gone(int error_number) {
  return Error{ErrorCode::kCancelled, "the client closed the connection: " +
                                          std::generic_category().message(error_number)};
}

}  // namespace

// The socket and the timer of its waits. A new wait does not reset the timer. When the timer fires,
// it compares the time with the current deadline. If the deadline is later, the timer sleeps again.
struct Transport::Watch : std::enable_shared_from_this<Watch> {
  Watch(net::ip::tcp::socket s, const net::any_io_executor& strand)
      : socket(std::move(s)), timer(strand) {}

  net::ip::tcp::socket socket;
  net::steady_timer timer;
  Deadline deadline = Deadline::max();  // of the wait in progress
  Deadline armed = Deadline::max();     // when the timer fires; max: the timer is off
  bool expired = false;
  bool interrupted = false;

  void Arm() {
    armed = deadline;
    timer.expires_at(deadline);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (!cancelled) self->Fire();
    });
  }
  void Fire() {
    armed = Deadline::max();
    if (deadline == Deadline::max() || !socket.is_open()) return;
    if (deadline > std::chrono::steady_clock::now()) return Arm();
    expired = true;
    CancelWait();
  }
  void CancelWait() {
    boost::system::error_code ignored;
    socket.cancel(ignored);
  }
};

Transport::Transport(net::ip::tcp::socket socket, net::any_io_executor strand)
    : watch_(std::make_shared<Watch>(std::move(socket), strand)) {}

Transport::~Transport() {
  boost::system::error_code ignored;
  watch_->timer.cancel();
  watch_->socket.close(ignored);
}

Transport::Received Transport::Receive(MutableBytes buffer, size_t& size) {
  for (;;) {
    const ssize_t got =
        ::recv(watch_->socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      size = static_cast<size_t>(got);
      received_total_ += size;
      return Received::kBytes;
    }
    if (got < 0 && errno == EINTR) continue;
    size = 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Received::kNothingYet;
    return Received::kEnd;
  }
}

net::awaitable<Result<void>> Transport::WaitReadable(Deadline deadline) {
  co_return co_await Wait(net::ip::tcp::socket::wait_read, deadline);
}

net::awaitable<Result<void>> Transport::Wait(net::ip::tcp::socket::wait_type type,
                                             Deadline deadline) {
  const auto cancellation = co_await net::this_coro::cancellation_state;
  Watch& watch = *watch_;
  if (watch.interrupted || cancellation.cancelled() != net::cancellation_type::none) {
    co_return Error{ErrorCode::kCancelled, "the server is stopping"};
  }
  moved_ = 0;
  watch.expired = false;
  watch.deadline = deadline;
  if (deadline < watch.armed) watch.Arm();
  boost::system::error_code failure;
  co_await watch.socket.async_wait(type, net::redirect_error(net::use_awaitable, failure));
  watch.deadline = Deadline::max();
  if (!failure) co_return Result<void>();
  if (watch.expired) {
    co_return Error{ErrorCode::kRequestTimeout, "the client was too slow to send or receive data"};
  }
  co_return Error{ErrorCode::kCancelled, watch.interrupted
                                             ? "the server is stopping"
                                             : "the wait for the client was cancelled"};
}

net::awaitable<Result<void>> Transport::Drain(std::chrono::steady_clock::duration progress) {
  while (sent_ < output_.size()) {
    const ssize_t sent = ::send(watch_->socket.native_handle(), output_.data() + sent_,
                                output_.size() - sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      sent_ += static_cast<size_t>(sent);
      sent_total_ += static_cast<uint64_t>(sent);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) co_return Gone(errno);
    const Deadline deadline = std::chrono::steady_clock::now() + progress;
    CO_TRY_VOID(co_await Wait(net::ip::tcp::socket::wait_write, deadline));
  }
  output_.clear();
  sent_ = 0;
  co_return Result<void>();
}

void Transport::ReleaseBuffers() {
  if (output_.empty() && output_.capacity() > kKeptOutputBytes) output_ = std::string();
}

net::awaitable<Result<void>> Transport::Yield(size_t moved_bytes) {
  moved_ += moved_bytes;
  if (moved_ < kMovedBeforeYield) co_return Result<void>();
  moved_ = 0;
  co_await net::post(net::use_awaitable);
  const auto cancellation = co_await net::this_coro::cancellation_state;
  if (cancellation.cancelled() != net::cancellation_type::none) {
    co_return Error{ErrorCode::kCancelled, "the server is stopping"};
  }
  co_return Result<void>();
}

void Transport::Interrupt() {
  watch_->interrupted = true;
  watch_->CancelWait();
}

void Transport::ShutdownSend() {
  boost::system::error_code ignored;
  watch_->socket.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
}

net::awaitable<void> Transport::Linger(Deadline deadline, size_t at_most) {
  std::array<std::byte, 16 << 10> trash;
  size_t thrown_away = 0;
  while (thrown_away < at_most) {
    size_t size = 0;
    const Received received = Receive(trash, size);
    if (received == Received::kEnd) co_return;
    thrown_away += size;
    if (received == Received::kBytes) continue;
    const Result<void> waited = co_await WaitReadable(deadline);
    if (!waited.has_value()) co_return;
  }
}

void Transport::Reset() {
  boost::system::error_code ignored;
  watch_->socket.set_option(net::socket_base::linger(true, 0), ignored);
  watch_->socket.close(ignored);
  output_.clear();
  sent_ = 0;
}

std::string Transport::PeerAddress() const {
  boost::system::error_code failure;
  const auto endpoint = watch_->socket.remote_endpoint(failure);
  if (failure) return "unknown";
  const net::ip::address address = endpoint.address();
  // Show the IPv4 address of an IPv4 client even if the socket is IPv6.
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return net::ip::make_address_v4(net::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace outport::http
