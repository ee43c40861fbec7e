#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "registry/base/mutex.h"

namespace outport::node {

struct StoreStubs;

// The store's services over a channel that can be replaced. A connection keeps the certificate of
// its handshake, so a node that has a new certificate needs a new connection. Safe for all threads;
// does not block.
class StoreChannel {
 public:
  explicit StoreChannel(const std::shared_ptr<grpc::Channel>& channel) { Use(channel); }

  // For one call, which holds it until the call ends.
  std::shared_ptr<StoreStubs> Now() const {
    MutexLock lock(mutex_);
    return stubs_;
  }
  // New calls use this channel; calls under way finish on theirs.
  void Use(const std::shared_ptr<grpc::Channel>& channel);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<StoreStubs> stubs_ OUTPORT_GUARDED_BY(mutex_);  // shared with calls under way
};

}  // namespace outport::node
