#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/replication.pb.h"
#include "registry/base/error.h"
#include "registry/base/mutex.h"

namespace outport::store {

// The nodes that hold a Sync stream, and the last report of each. In memory: it is empty when the
// store starts. MemberDirectory knows which nodes belong to the fleet. Safe for all threads; does
// not block.
class ConnectedNodes {
 public:
  // The state of a node's stream, and what the node last reported on it.
  struct Presence {
    bool connected = false;
    uint64_t acknowledged_sequence = 0;
    int64_t last_ping_ms = 0;  // Unix time; 0: no ping yet
    std::string address;
    std::string version;
    // From the last ping, bounded in number and length:
    std::vector<std::string> warnings = {};
    std::string trust_bundle_hash = {};          // of the bundle that the node uses
    std::vector<std::string> chain_hashes = {};  // of the CA chain behind each of its certificates
  };

  // Ends a node's stream with a reason. Called by any thread until Disconnect() returns, under this
  // class's lock: it must not block.
  using Cutter = std::function<void(const Error& why)>;

  // Registers a stream of the node and returns its ticket. A node has one stream: an older one is
  // cut.
  uint64_t Connect(const std::string& node, const std::string& address, Cutter cut);
  // `ticket` names the stream that reports. If a newer stream has replaced it, the report is
  // ignored.
  void RecordVersion(const std::string& node, uint64_t ticket, const std::string& version);
  void RecordPing(const std::string& node, uint64_t ticket, int64_t now_ms,
                  const v1::NodeMessage::Ping& ping);
  void RecordAcknowledgement(const std::string& node, uint64_t ticket, uint64_t sequence);
  // Ends the registration. The node's last report remains.
  void Disconnect(const std::string& node, uint64_t ticket);

  // Cuts the node's stream, if it holds one: what the node may do has changed.
  void Cut(const std::string& node);
  // Cuts every stream: the store is stopping.
  void CutAll();

  // nullopt if the node has not connected since the store started.
  std::optional<Presence> Find(const std::string& node) const;

 private:
  struct Entry {
    Presence presence;
    uint64_t ticket = 0;  // of the newest stream
    Cutter cut;           // of the connected stream; empty: there is none
  };
  Entry* FindStream(const std::string& node, uint64_t ticket) OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  uint64_t last_ticket_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
