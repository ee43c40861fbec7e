#include "store/audit/syslog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace outport::store {
namespace {

constexpr int kPriority = (10 << 3) | 6;  // LOG_AUTHPRIV, LOG_INFO

Error NotSent(int error_number, const std::string& socket) {
  return Error{ErrorCode::kUnavailable,
               "cannot send to syslog at " + socket + ": " + std::strerror(error_number) +
                   "; start a syslog daemon, or set audit.syslog to false"};
}

// Returns the beginning of a line, in the form of syslog(3) (RFC 3164): "<86>Nov 27 16:30:00
// outport-store[4711]: ".
std::string Header() {
  std::array<char, 32> time{};
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  std::strftime(time.data(), time.size(), "%b %e %H:%M:%S", &local);
  return "<" + std::to_string(kPriority) + ">" + time.data() + " outport-store[" +
         std::to_string(::getpid()) + "]: ";
}

}  // namespace

Syslog::~Syslog() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Syslog::Connect() {
  if (fd_ >= 0) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof(address.sun_path)) return NotSent(ENAMETOOLONG, socket_);
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return NotSent(errno, socket_);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error_number = errno;
    ::close(fd);
    return NotSent(error_number, socket_);
  }
  fd_ = fd;
  return {};
}

Result<void> Syslog::Send(std::string_view line) {
  if (socket_.empty()) return {};
  const std::string message = Header() + std::string(line);
  // If the send fails, connect again once: the daemon may have restarted.
  for (const bool again : {true, false}) {
    TRY_VOID(Connect());
    if (::send(fd_, message.data(), message.size(), MSG_NOSIGNAL) >= 0) return {};
    const int error_number = errno;
    ::close(fd_);
    fd_ = -1;
    if (!again) return NotSent(error_number, socket_);
  }
  return {};
}

}  // namespace outport::store
