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

// Which nodes hold a Sync stream, and what they last said on it: in memory, since the store
// started. (The nodes of the fleet are rows, node/<name>.) Safe for all threads; does not block.
class ConnectedNodes {
 public:
  struct Presence {
    bool connected = false;
    uint64_t acknowledged_sequence = 0;
    int64_t last_ping_ms = 0;  // 0: none yet
    std::string address;
    std::string version;
    std::vector<std::string> warnings = {};  // of the last ping, bounded
    // Of the last ping: hashes of whom it trusts, and of what its certificates chain to.
    std::string authorities = {};
    std::vector<std::string> chains = {};
  };

  // Told why its stream is to end. Called by any thread until Leave() returns, under the
  // directory's lock: it must not block.
  using Cutter = std::function<void(const Error& why)>;

  // Enters the node's stream and returns its ticket. A node has one stream: the older one's `cut`
  // is called.
  uint64_t Enter(const std::string& node, const std::string& address, Cutter cut);
  // What comes with the ticket of a stream that was superseded is ignored.
  void Introduced(const std::string& node, uint64_t ticket, const std::string& version);
  void Pinged(const std::string& node, uint64_t ticket, int64_t now_ms,
              const v1::NodeMessage::Ping& ping);
  void Acknowledged(const std::string& node, uint64_t ticket, uint64_t sequence);
  void Leave(const std::string& node, uint64_t ticket);

  // Ends the node's stream, if it holds one.
  void Cut(const std::string& node);
  // Ends every node's stream: the store stops.
  void CutAll();

  // nullopt if the node has not connected since the store started.
  std::optional<Presence> Find(const std::string& node) const;

 private:
  struct Entry {
    Presence presence;
    uint64_t ticket = 0;
    Cutter cut;  // of the stream that is connected
  };
  Entry* FindStream(const std::string& node, uint64_t ticket) OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  uint64_t last_ticket_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
