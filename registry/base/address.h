#pragma once

#include <cstdint>
#include <string>

#include "registry/base/result.h"

namespace boost::asio::ip {
class address;
}

namespace outport {

// "host:port" or "[v6]:port" in two; host without its brackets.
struct HostPort {
  std::string host;
  uint16_t port = 0;
};

// kInvalidArgument names the text and shows how an address is written.
Result<HostPort> ParseHostPort(const std::string& text);

// Whether `host` is an IP address, which one can listen on without asking a name server.
bool IsIpAddress(const std::string& host);

// What peers are counted by: a network of 64 bits of IPv6, in which one customer has addresses
// without end; and an IPv4 client of an IPv6 socket by the address that it knows itself. A text
// that is no address stays as it is.
boost::asio::ip::address NetworkOf(const boost::asio::ip::address& address);
std::string NetworkOf(const std::string& address);

// Whether one socket listening on each cannot be had: the same port, and the same address or one
// that stands for all. Port 0 is never the same.
bool Overlap(const HostPort& a, const HostPort& b);

// The address that was asked for, with the port that was picked where it asked for port 0.
std::string WithPort(const std::string& listen, uint16_t port);

}  // namespace outport
