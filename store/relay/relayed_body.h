#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "outport/v1/push.grpc.pb.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"

namespace outport::store {

// The body of an upload that a node relays. The node is told how far it may go on when a byte is
// asked for, so never when the upload is refused. What may be under way is little, and less when
// many bodies come at once (gRPC's own windows grow with the line's speed, whoever reads). For one
// coroutine on a strand.
class RelayedBody final : public ByteSource {
 public:
  using Stream = rpc::ServerStream<v1::UploadPart, v1::UploadAnswer>;

  // Whether node and user may go on: asked for each part, so it must not block.
  using Allowed = std::function<Result<void>()>;

  // `length`: of the body, if the client announced it. `limit`: for the node's silence. `bodies`
  // counts those that come at once, and outlives them.
  RelayedBody(Stream& stream, std::optional<uint64_t> length, std::chrono::milliseconds limit,
              std::atomic<size_t>& bodies, Allowed allowed)
      : stream_(stream),
        length_(length),
        limit_(limit),
        bodies_(bodies),
        allowed_(std::move(allowed)) {
    ++bodies_;
  }
  ~RelayedBody() override { --bodies_; }
  RelayedBody(const RelayedBody&) = delete;
  RelayedBody& operator=(const RelayedBody&) = delete;

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

 private:
  // Until a part with bytes, or the end, is there.
  net::awaitable<Result<void>> NextPart();
  Result<void> Take();
  // Lets the node go on before it has to stop.
  net::awaitable<Result<void>> Grant();

  Stream& stream_;
  const std::optional<uint64_t> length_;
  const std::chrono::milliseconds limit_;
  std::atomic<size_t>& bodies_;
  const Allowed allowed_;
  v1::UploadPart part_;
  size_t consumed_ = 0;  // of the part's data
  uint64_t received_ = 0;
  uint64_t granted_ = 0;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace outport::store
