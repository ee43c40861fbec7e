#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "registry/base/address.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/tls/tls.h"

namespace outport {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

constexpr unsigned char kFleetProtocol[] = {2, 'h', '2'};  // ALPN for gRPC

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }

  // Waits for `events`. Returns false if the deadline passes first.
  bool Wait(short events, Deadline deadline) const {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
      if (left.count() <= 0) return false;
      pollfd waiting{fd_, events, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(left.count()));
      if (ready > 0) return true;
      if (ready == 0 || errno != EINTR) return false;
    }
  }

 private:
  int fd_;
};

Error Unreachable(const std::string& address, std::string_view why) {
  return Error{ErrorCode::kUnavailable, "no TLS connection to " + address + ": " +
                                            std::string(why) +
                                            "; check the address, and that the store is running"};
}

Result<Socket> ConnectTo(const addrinfo& target, Deadline deadline) {
  Socket socket(::socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int cause = socket.fd() < 0 ? errno : 0;
  if (cause == 0 && ::connect(socket.fd(), target.ai_addr, target.ai_addrlen) != 0) cause = errno;
  if (cause == EINPROGRESS) {
    if (!socket.Wait(POLLOUT, deadline)) {
      cause = ETIMEDOUT;
    } else {
      socklen_t size = sizeof(cause);
      ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &cause, &size);
    }
  }
  if (cause == 0) return socket;
  return Error{ErrorCode::kUnavailable, std::generic_category().message(cause)};
}

Result<Socket> Connect(const std::string& address, const HostPort& target, Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  // The deadline does not limit this call, because the resolver cannot be interrupted safely. The
  // resolver has its own limits: by default 5 seconds and two attempts per server (resolv.conf(5)).
  const int status =
      ::getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (status != 0) return Unreachable(address, ::gai_strerror(status));
  const std::unique_ptr<addrinfo, openssl::Deleter<::freeaddrinfo>> addresses(found);
  std::string cause;
  for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
    Result<Socket> socket = ConnectTo(*next, deadline);
    if (socket.has_value()) return socket;
    cause = socket.error().message;
  }
  return Unreachable(address, cause);
}

// Sends OpenSSL's pending output to the socket. Returns false if the peer has disconnected or the
// deadline passed.
bool Send(const Socket& socket, BIO* from, Deadline deadline) {
  std::array<char, 16 << 10> buffer;
  for (int size; (size = BIO_read(from, buffer.data(), buffer.size())) > 0;) {
    for (int sent = 0; sent < size;) {
      const ssize_t n =
          ::send(socket.fd(), buffer.data() + sent, static_cast<size_t>(size - sent), MSG_NOSIGNAL);
      if (n > 0) sent += static_cast<int>(n);
      if (n < 0 && errno != EAGAIN && errno != EINTR) return false;
      if (n < 0 && !socket.Wait(POLLOUT, deadline)) return false;
    }
  }
  return true;
}

bool Receive(const Socket& socket, BIO* into, Deadline deadline) {
  std::array<char, 16 << 10> buffer;
  if (!socket.Wait(POLLIN, deadline)) return false;
  const ssize_t n = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  return n > 0 && BIO_write(into, buffer.data(), static_cast<int>(n)) == n;
}

Result<openssl::ConnectionPtr> StartTls(const HostPort& target) {
  const openssl::ContextPtr context(SSL_CTX_new(TLS_client_method()));
  openssl::ConnectionPtr ssl(context == nullptr ? nullptr : SSL_new(context.get()));
  if (ssl == nullptr || SSL_set_min_proto_version(ssl.get(), TLS1_2_VERSION) != 1) {
    return openssl::LibraryError("setting up TLS");
  }
  // Accept any certificate, because the caller compares a fingerprint and this connection carries
  // no data.
  SSL_set_verify(ssl.get(), SSL_VERIFY_NONE, nullptr);
  SSL_set_alpn_protos(ssl.get(), kFleetProtocol, sizeof(kFleetProtocol));
  in6_addr numeric{};
  if (::inet_pton(AF_INET, target.host.c_str(), &numeric) != 1 &&
      ::inet_pton(AF_INET6, target.host.c_str(), &numeric) != 1) {
    SSL_set_tlsext_host_name(ssl.get(), target.host.c_str());  // not for IP addresses (RFC 6066, 3)
  }
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
  return ssl;
}

}  // namespace

Result<std::vector<std::string>> FetchServerChain(const std::string& address,
                                                  std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  TRY(const HostPort target, ParseHostPort(address));
  TRY(const Socket socket, Connect(address, target, deadline));
  TRY(const openssl::ConnectionPtr ssl, StartTls(target));
  for (;;) {
    const int status = SSL_do_handshake(ssl.get());
    const int wanted = SSL_get_error(ssl.get(), status);
    const bool sent = Send(socket, SSL_get_wbio(ssl.get()), deadline);
    if (status == 1) break;
    if (wanted != SSL_ERROR_WANT_READ) {
      return Unreachable(address, openssl::LibraryError("TLS").message);
    }
    if (!sent || !Receive(socket, SSL_get_rbio(ssl.get()), deadline)) {
      return Unreachable(address, "the connection was closed, or timed out");
    }
  }
  std::vector<std::string> chain;
  const STACK_OF(X509)* shown = SSL_get_peer_cert_chain(ssl.get());
  chain.reserve(static_cast<size_t>(std::max(sk_X509_num(shown), 0)));
  for (int i = 0; i < sk_X509_num(shown); ++i) {
    chain.push_back(openssl::ToPem(sk_X509_value(shown, i)));
  }
  if (chain.empty()) return Unreachable(address, "the server sent no certificate");
  return chain;
}

}  // namespace outport
