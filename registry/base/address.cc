#include "registry/base/address.h"

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

std::string WithPort(const std::string& listen, uint16_t port) {
  return listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
}

}  // namespace outport
