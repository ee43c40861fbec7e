#pragma once

#include <string>
#include <string_view>

namespace outport::store {

// Returns the address of a gRPC peer without its port: "10.0.0.1" for "ipv4:10.0.0.1:4711", "::1"
// for "ipv6:%5B::1%5D:4711".
std::string AddressOfPeer(std::string_view peer);

}  // namespace outport::store
