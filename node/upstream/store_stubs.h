#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "outport/v1/enrollment.grpc.pb.h"
#include "outport/v1/push.grpc.pb.h"
#include "outport/v1/replication.grpc.pb.h"

namespace outport::node {

// One stub for each service of the store that a node calls, over one channel. Include this header
// only in .cc files that call the store, because the generated headers are slow to compile.
struct StoreStubs {
  explicit StoreStubs(const std::shared_ptr<grpc::Channel>& shared)
      : channel(shared), replication(channel), push(channel), enrollment(channel) {}

  const std::shared_ptr<grpc::Channel> channel;  // shared with the stubs
  v1::Replication::Stub replication;
  v1::Push::Stub push;
  v1::Enrollment::Stub enrollment;
};

}  // namespace outport::node
