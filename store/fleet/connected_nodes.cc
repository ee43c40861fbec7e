#include "store/fleet/connected_nodes.h"

#include <algorithm>
#include <utility>

namespace outport::store {
namespace {

constexpr int kMaxTexts = 10;
constexpr size_t kMaxTextBytes = 500;

// Not within a character: what is cut still has to be UTF-8.
void Shorten(std::string& text, size_t size) {
  if (text.size() <= size) return;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
}

// What a node says of itself, as much of it as is kept.
std::vector<std::string> Bounded(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<std::string> bounded(texts.begin(),
                                   texts.begin() + std::min(texts.size(), kMaxTexts));
  for (std::string& text : bounded) Shorten(text, kMaxTextBytes);
  return bounded;
}

}  // namespace

uint64_t ConnectedNodes::Enter(const std::string& node, const std::string& address, Cutter cut) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[node];
  // Under the lock: the older stream cannot leave, and die, before it is cut.
  if (entry.cut) {
    entry.cut(Error{ErrorCode::kUnavailable,
                    "another machine that is node '" + node + "', too, connected from " + address +
                        " and takes the place of this one; if that goes on, two machines run under "
                        "one name: stop one of them, or invite it under a name of its own"});
  }
  entry.cut = std::move(cut);
  entry.ticket = ++last_ticket_;
  entry.presence.connected = true;
  entry.presence.address = address;
  return entry.ticket;
}

ConnectedNodes::Entry* ConnectedNodes::FindStream(const std::string& node, uint64_t ticket) {
  const auto found = entries_.find(node);
  return found != entries_.end() && found->second.ticket == ticket ? &found->second : nullptr;
}

void ConnectedNodes::Introduced(const std::string& node, uint64_t ticket,
                                const std::string& version) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) entry->presence.version = version;
}

void ConnectedNodes::Pinged(const std::string& node, uint64_t ticket, int64_t now_ms,
                            const v1::NodeMessage::Ping& ping) {
  MutexLock lock(mutex_);
  Entry* entry = FindStream(node, ticket);
  if (entry == nullptr) return;
  entry->presence.last_ping_ms = now_ms;
  entry->presence.warnings = Bounded(ping.warnings());
  entry->presence.authorities = ping.authorities().substr(0, kMaxTextBytes);
  entry->presence.chains = Bounded(ping.chains());
}

void ConnectedNodes::Acknowledged(const std::string& node, uint64_t ticket, uint64_t sequence) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) entry->presence.acknowledged_sequence = sequence;
}

void ConnectedNodes::Leave(const std::string& node, uint64_t ticket) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) {
    entry->cut = nullptr;
    entry->presence.connected = false;
  }
}

void ConnectedNodes::Cut(const std::string& node) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(node);
  if (found == entries_.end() || !found->second.cut) return;
  found->second.cut(Error{ErrorCode::kCancelled, "the store has other terms for this node now"});
}

void ConnectedNodes::CutAll() {
  const Error stopping{ErrorCode::kUnavailable, "the store is stopping"};
  MutexLock lock(mutex_);
  for (const auto& [node, entry] : entries_) {
    if (entry.cut) entry.cut(stopping);
  }
}

std::optional<ConnectedNodes::Presence> ConnectedNodes::Find(const std::string& node) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(node);
  if (found == entries_.end()) return std::nullopt;
  return found->second.presence;
}

}  // namespace outport::store
