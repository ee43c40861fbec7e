#include "registry/base/address.h"

#include <arpa/inet.h>

#include <charconv>

namespace outport {

Result<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort parsed;
  if (colon != std::string::npos && colon > 0) {
    parsed.host = text.substr(0, colon);
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
    const bool bracketed = parsed.host.starts_with('[') && parsed.host.ends_with(']');
    if (bracketed) parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
    const bool plain = parsed.host.find(':') == std::string::npos || bracketed;
    if (error == std::errc() && stop == end && plain && !parsed.host.empty()) return parsed;
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + text +
                   "' is not an address; write for example 0.0.0.0:5000, "
                   "store.example.com:5001 or [::]:5000"};
}

bool IsIpAddress(const std::string& host) {
  in6_addr numeric{};
  const std::string v6 = host.substr(0, host.find('%'));  // fe80::1%eth0
  return ::inet_pton(AF_INET, host.c_str(), &numeric) == 1 ||
         ::inet_pton(AF_INET6, v6.c_str(), &numeric) == 1;
}

bool Overlap(const HostPort& a, const HostPort& b) {
  const auto is_any = [](const std::string& host) { return host == "0.0.0.0" || host == "::"; };
  return a.port != 0 && a.port == b.port && (a.host == b.host || is_any(a.host) || is_any(b.host));
}

std::string WithPort(const std::string& listen, uint16_t port) {
  return listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
}

}  // namespace outport
