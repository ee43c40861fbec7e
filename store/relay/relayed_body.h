#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "outport/v1/push.grpc.pb.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"

namespace outport::store {

// The body of an upload that a node relays, with flow control of its own: the store grants the node
// credit, in bytes. Read() grants it, so that a rejected upload gets none. The more bodies there
// are at once, the less credit each has. (gRPC's windows grow with the line's speed, however slow
// the reader is.) For one coroutine on a strand.
class RelayedBody final : public ByteSource {
 public:
  using Stream = rpc::ServerStream<v1::UploadPart, v1::UploadAnswer>;

  // Re-authorises node and user. Called for each part; must not block.
  using Recheck = std::function<Result<void>()>;

  // `length`: of the body, if the client announced it. `limit`: the longest wait for the node.
  // `bodies` counts the bodies in progress, and outlives them.
  RelayedBody(Stream& stream, std::optional<uint64_t> length, std::chrono::milliseconds limit,
              std::atomic<size_t>& bodies, Recheck recheck)
      : stream_(stream),
        length_(length),
        limit_(limit),
        bodies_(bodies),
        recheck_(std::move(recheck)) {
    ++bodies_;
  }
  ~RelayedBody() override { --bodies_; }
  RelayedBody(const RelayedBody&) = delete;
  RelayedBody& operator=(const RelayedBody&) = delete;

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

 private:
  // Receives parts until one has bytes or ends the body.
  net::awaitable<Result<void>> NextPart();
  // Validates and counts the part that was received.
  Result<void> AcceptPart();
  // Grants more credit, early enough that the node does not have to stop.
  net::awaitable<Result<void>> GrantCredit();

  Stream& stream_;
  const std::optional<uint64_t> length_;
  const std::chrono::milliseconds limit_;
  std::atomic<size_t>& bodies_;
  const Recheck recheck_;
  v1::UploadPart part_;
  size_t consumed_ = 0;  // bytes of the part's data
  uint64_t received_ = 0;
  uint64_t granted_ = 0;  // offset up to which the node may send
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace outport::store
