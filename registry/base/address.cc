#include "registry/base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace outport {

namespace ip = boost::asio::ip;

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
  if (colon == 0 && text.size() > 1) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + text + "' has no host; write for example 0.0.0.0" + text +
                     " to listen on all addresses, or 127.0.0.1" + text};
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

ip::address NetworkOf(const ip::address& address) {
  if (!address.is_v6()) return address;
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6);
  ip::address_v6::bytes_type bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return ip::address_v6(bytes);
}

std::string NetworkOf(const std::string& address) {
  boost::system::error_code none;
  const ip::address parsed = ip::make_address(address, none);
  return none ? address : NetworkOf(parsed).to_string();
}

bool Overlap(const HostPort& a, const HostPort& b) {
  const auto is_any = [](const std::string& host) { return host == "0.0.0.0" || host == "::"; };
  return a.port != 0 && a.port == b.port && (a.host == b.host || is_any(a.host) || is_any(b.host));
}

std::string WithPort(const std::string& listen, uint16_t port) {
  return listen.substr(0, listen.rfind(':') + 1) + std::to_string(port);
}

}  // namespace outport
