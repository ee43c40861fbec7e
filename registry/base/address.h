#pragma once

#include <cstdint>
#include <string>

#include "registry/base/result.h"

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

// Whether one socket listening on each cannot be had: the same port, and the same address or one
// that stands for all. Port 0 is never the same.
bool Overlap(const HostPort& a, const HostPort& b);

// The address that was asked for, with the port that was picked where it asked for port 0.
std::string WithPort(const std::string& listen, uint16_t port);

}  // namespace outport
