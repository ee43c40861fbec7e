#include "node/upstream/store_channel.h"

#include "node/upstream/store_stubs.h"

namespace outport::node {

void StoreChannel::Replace(const std::shared_ptr<grpc::Channel>& channel) {
  auto stubs = std::make_shared<StoreStubs>(channel);
  MutexLock lock(mutex_);
  stubs_.swap(stubs);
}

}  // namespace outport::node
