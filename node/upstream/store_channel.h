#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "registry/base/mutex.h"

namespace outport::node {

struct StoreStubs;

// The services of the store over a replaceable channel. A connection keeps the certificate of its
// TLS handshake, so a node needs a new connection after it has renewed its identity. Safe for all
// threads. Does not block.
class StoreChannel {
 public:
  explicit StoreChannel(const std::shared_ptr<grpc::Channel>& channel) { Replace(channel); }

  // Returns the stubs of the current channel. A caller keeps the pointer until its call ends.
  std::shared_ptr<StoreStubs> Stubs() const {
    MutexLock lock(mutex_);
    return stubs_;
  }
  // Uses this channel for new calls. Calls in progress finish on the previous one.
  void Replace(const std::shared_ptr<grpc::Channel>& channel);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<StoreStubs> stubs_ OUTPORT_GUARDED_BY(mutex_);  // shared with calls in progress
};

}  // namespace outport::node
