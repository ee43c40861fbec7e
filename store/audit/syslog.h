#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport::store {

inline constexpr char kSyslogSocket[] = "/dev/log";

// Sends lines to the machine's syslog daemon, as LOG_AUTHPRIV and LOG_INFO. It does not use
// syslog(3), which does not report a lost line. For one thread at a time; does not block.
class Syslog {
 public:
  // `socket`: the path of the daemon's socket; if it is empty, nothing is sent.
  explicit Syslog(std::string socket) : socket_(std::move(socket)) {}
  ~Syslog();
  Syslog(const Syslog&) = delete;
  Syslog& operator=(const Syslog&) = delete;

  // Sends one line. kUnavailable names the socket and the cause; the line is lost then.
  Result<void> Send(std::string_view line);

 private:
  Result<void> Connect();

  const std::string socket_;
  int fd_ = -1;
};

}  // namespace outport::store
