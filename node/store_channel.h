#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "outport/v1/enrollment.grpc.pb.h"
#include "outport/v1/push.grpc.pb.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/mutex.h"

namespace outport::node {

// The store's services over a channel that can be exchanged: a connection is as good as the
// certificate that it began with, so another one is begun when the node has a new certificate.
// Safe for all threads; does not block.
class StoreChannel {
 public:
  explicit StoreChannel(const std::shared_ptr<grpc::Channel>& channel) { Use(channel); }

  struct Stubs {
    explicit Stubs(const std::shared_ptr<grpc::Channel>& shared)
        : channel(shared), replication(channel), push(channel), enrollment(channel) {}
    const std::shared_ptr<grpc::Channel> channel;  // shared with the stubs
    v1::Replication::Stub replication;
    v1::Push::Stub push;
    v1::Enrollment::Stub enrollment;
  };
  // For one call, which keeps it until its end.
  std::shared_ptr<Stubs> Now() const {
    MutexLock lock(mutex_);
    return stubs_;
  }
  // Calls from now on go over this one; those under way end where they are.
  void Use(const std::shared_ptr<grpc::Channel>& channel) {
    auto stubs = std::make_shared<Stubs>(channel);
    MutexLock lock(mutex_);
    stubs_.swap(stubs);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<Stubs> stubs_ OUTPORT_GUARDED_BY(mutex_);  // shared with the calls under way
};

}  // namespace outport::node
