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

// Knows which nodes have a Sync stream, and what each node last reported. It is in memory only, so
// it is empty when the store starts. MemberDirectory knows which nodes belong to the fleet. Safe
// for all threads; does not block.
class ConnectedNodes {
 public:
  // The state of a node's stream, and what the node last reported on it.
  struct Presence {
    bool connected = false;
    uint64_t acknowledged_sequence = 0;
    // The change after which the stream reads the log; 0: the stream does not yet read the log.
    uint64_t reads_after = 0;
    int64_t last_ping_ms = 0;  // Unix time; 0: the node has sent no ping
    std::string address;
    std::string version;
    // The texts below are from the last ping. Their number and length are bounded.
    std::vector<std::string> warnings = {};
    std::string trust_bundle_hash = {};          // the hash of the node's trust bundle
    std::vector<std::string> chain_hashes = {};  // for each certificate, of its CA chain
  };

  // Ends a node's stream with a reason. Any thread may call the cutter until Disconnect() returns.
  // The cutter must not block, because its caller has locked this object.
  using Cutter = std::function<void(const Error& why)>;

  // Registers a stream of the node and returns the stream's ticket. A node has only one stream:
  // Connect() cuts an older one.
  uint64_t Connect(const std::string& node, const std::string& address, Cutter cut);
  // Each of these methods records a report of a node. `ticket` names the stream on which the report
  // came. If a newer stream has replaced that stream, the method ignores the report.
  void RecordVersion(const std::string& node, uint64_t ticket, const std::string& version);
  void RecordPing(const std::string& node, uint64_t ticket, int64_t now_ms,
                  const v1::NodeMessage::Ping& ping);
  void RecordAcknowledgement(const std::string& node, uint64_t ticket, uint64_t sequence);
  // Records that the stream needs the changes after `sequence`: it resumes the log there, or it
  // sends a snapshot that is not older.
  void RecordStart(const std::string& node, uint64_t ticket, uint64_t sequence);
  // Ends the registration of a stream. The node's last report remains.
  void Disconnect(const std::string& node, uint64_t ticket);

  // Cuts the node's stream, if the node has one. Call it after the node's rights have changed.
  void Cut(const std::string& node);
  // Cuts every stream. Call it when the store stops.
  void CutAll();

  // Returns what the store knows of the node's stream; nullopt if the node has not connected since
  // the store started.
  std::optional<Presence> Find(const std::string& node) const;

 private:
  struct Entry {
    Presence presence;
    uint64_t ticket = 0;  // the newest stream's ticket
    Cutter cut;           // ends the connected stream; empty: no stream is connected
  };
  Entry* FindStream(const std::string& node, uint64_t ticket) OUTPORT_REQUIRES_LOCK(mutex_);

  mutable Mutex mutex_;
  uint64_t last_ticket_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
