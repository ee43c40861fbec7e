#include "store/fleet/peer_address.h"

#include <algorithm>

namespace outport::store {

std::string AddressOfPeer(std::string_view peer) {
  std::string address(peer.substr(peer.find(':') + 1));
  address.resize(std::min(address.size(), address.rfind(':')));
  for (const std::string_view bracket : {"%5B", "%5D", "[", "]"}) {
    const size_t at = address.find(bracket);
    if (at != std::string::npos) address.erase(at, bracket.size());
  }
  return address;
}

}  // namespace outport::store
