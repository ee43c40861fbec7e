#pragma once

#include <cstdint>
#include <string>

#include "registry/base/result.h"

namespace boost::asio::ip {
class address;
}

namespace outport {

// The parts of "host:port" or "[v6]:port"; host is without brackets.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// kInvalidArgument names the text and gives examples.
Result<HostPort> ParseHostPort(const std::string& text);

// Whether `host` is an IP address and no host name.
bool IsIpAddress(const std::string& host);

// The network that limits count a peer by: the /64 network of an IPv6 address, because one customer
// has a whole one; the IPv4 address itself, also when an IPv6 socket maps it. A text that is not an
// address is returned unchanged.
boost::asio::ip::address NetworkOf(const boost::asio::ip::address& address);
std::string NetworkOf(const std::string& address);

// Whether two sockets cannot listen on both: the ports are equal, and the addresses are equal or
// one is the wildcard. Port 0 never overlaps.
bool Overlap(const HostPort& a, const HostPort& b);

// `listen` with its port replaced by `port`. For port 0, where the system chooses the port.
std::string WithPort(const std::string& listen, uint16_t port);

}  // namespace outport
