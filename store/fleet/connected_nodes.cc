#include "store/fleet/connected_nodes.h"

#include <algorithm>
#include <utility>

namespace outport::store {
namespace {

constexpr int kMaxTexts = 10;
constexpr size_t kMaxTextBytes = 500;

// Truncates a text between two characters, so that it remains valid UTF-8.
void Truncate(std::string& text, size_t size) {
  if (text.size() <= size) return;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  text.resize(size);
}

// Returns the first texts of a node's report, each truncated, so that a node cannot fill the
// store's memory.
std::vector<std::string> Bounded(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<std::string> bounded(texts.begin(),
                                   texts.begin() + std::min(texts.size(), kMaxTexts));
  for (std::string& text : bounded) Truncate(text, kMaxTextBytes);
  return bounded;
}

}  // namespace

uint64_t ConnectedNodes::Connect(const std::string& node, const std::string& address, Cutter cut) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[node];
  // Call the cutter under the lock. The older stream stays registered while the lock is held, so it
  // is still alive when its cutter runs.
  if (entry.cut) {
    entry.cut(Error{ErrorCode::kUnavailable,
                    "connection cut: another machine connected as node '" + node + "' from " +
                        address +
                        "; if this repeats, two machines use one name: stop one of them, or invite "
                        "it under another name"});
  }
  entry.cut = std::move(cut);
  entry.ticket = ++last_ticket_;
  entry.presence.connected = true;
  entry.presence.reads_after = 0;
  entry.presence.address = address;
  return entry.ticket;
}

ConnectedNodes::Entry* ConnectedNodes::FindStream(const std::string& node, uint64_t ticket) {
  const auto found = entries_.find(node);
  return found != entries_.end() && found->second.ticket == ticket ? &found->second : nullptr;
}

void ConnectedNodes::RecordVersion(const std::string& node, uint64_t ticket,
                                   const std::string& version) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) entry->presence.version = version;
}

void ConnectedNodes::RecordPing(const std::string& node, uint64_t ticket, int64_t now_ms,
                                const v1::NodeMessage::Ping& ping) {
  MutexLock lock(mutex_);
  Entry* entry = FindStream(node, ticket);
  if (entry == nullptr) return;
  entry->presence.last_ping_ms = now_ms;
  entry->presence.warnings = Bounded(ping.warnings());
  entry->presence.trust_bundle_hash = ping.authorities().substr(0, kMaxTextBytes);
  entry->presence.chain_hashes = Bounded(ping.chains());
}

void ConnectedNodes::RecordAcknowledgement(const std::string& node, uint64_t ticket,
                                           uint64_t sequence) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) entry->presence.acknowledged_sequence = sequence;
}

void ConnectedNodes::RecordStart(const std::string& node, uint64_t ticket, uint64_t sequence) {
  MutexLock lock(mutex_);
  if (Entry* entry = FindStream(node, ticket)) entry->presence.reads_after = sequence;
}

void ConnectedNodes::Disconnect(const std::string& node, uint64_t ticket) {
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
  found->second.cut(
      Error{ErrorCode::kCancelled, "connection cut: access changed; the node reconnects"});
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
