#pragma once

#include <cstdint>
#include <string>

#include "registry/base/result.h"

namespace boost::asio::ip {
class address;
}

namespace outport {

// The parts of "host:port" or "[v6]:port". The host has no brackets.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// kInvalidArgument names `text` and gives examples.
Result<HostPort> ParseHostPort(const std::string& text);

// Whether `host` is an IP address and not a host name.
bool IsIpAddress(const std::string& host);

// The network by which limits count a peer. For an IPv6 address this is its /64 network, because
// providers give each customer a whole /64. For an IPv4 address, also one mapped into IPv6, this is
// the address itself. A text that is not an address is returned unchanged.
boost::asio::ip::address NetworkOf(const boost::asio::ip::address& address);
std::string NetworkOf(const std::string& address);

// Whether one process cannot listen on both `a` and `b`: the ports are equal, and the addresses are
// equal or one of them is the wildcard. Port 0 never overlaps.
bool Overlap(const HostPort& a, const HostPort& b);

// Returns `listen` with `port` instead of its own port. Use this after listening on port 0, for
// which the system chooses the port.
std::string WithPort(const std::string& listen, uint16_t port);

}  // namespace outport
