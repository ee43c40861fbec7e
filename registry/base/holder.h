#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <tuple>

namespace outport {

enum class HolderKind { kSystem, kUser, kCertificate, kNetwork, kNode };

// In whose name a request uses the resources of this program: places, memory, threads. Everybody
// who shares the program is one holder, and the shares of a resource are counted by holder
// (Shares, FairQueue). A default Holder is the program itself. A value type.
struct Holder {
  HolderKind kind = HolderKind::kSystem;
  std::string name = {};  // of the user, the certificate, the network or the node

  bool operator==(const Holder& other) const = default;
  auto operator<=>(const Holder& other) const {
    return std::tie(kind, name) <=> std::tie(other.kind, other.name);
  }
};

// Returns "user:ann", "certificate:build", "network:10.1.2.3", "node:paris" or "system".
inline std::string ToString(const Holder& holder) {
  constexpr std::string_view kNames[] = {"system", "user", "certificate", "network", "node"};
  std::string text(kNames[static_cast<size_t>(holder.kind)]);
  return holder.kind == HolderKind::kSystem ? text : text + ":" + holder.name;
}

}  // namespace outport
