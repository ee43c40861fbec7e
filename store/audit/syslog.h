#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport::store {

inline constexpr char kSyslogSocket[] = "/dev/log";

// Sends lines to the machine's syslog daemon, with facility LOG_AUTHPRIV and severity LOG_INFO.
// This class does not use syslog(3), because syslog(3) does not report a lost line. For one thread
// at a time; does not block.
class Syslog {
 public:
  // `socket` is the path of the daemon's socket. If the path is empty, Send() does nothing.
  explicit Syslog(std::string socket) : socket_(std::move(socket)) {}
  ~Syslog();
  Syslog(const Syslog&) = delete;
  Syslog& operator=(const Syslog&) = delete;

  // Sends one line. kUnavailable if the daemon does not accept the line: the line is lost, and the
  // error names the socket and the cause.
  Result<void> Send(std::string_view line);

 private:
  Result<void> Connect();

  const std::string socket_;
  int fd_ = -1;
};

}  // namespace outport::store
