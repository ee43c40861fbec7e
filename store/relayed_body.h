#pragma once

#include <chrono>

#include "outport/v1/push.grpc.pb.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"

namespace outport::store {

// The body of an upload that a node relays. The node is told to go on when the first byte is asked
// for, so never when the upload is refused; one part is held at a time, and the node is slowed down
// by gRPC's flow control. For one coroutine on a strand.
class RelayedBody final : public ByteSource {
 public:
  using Stream = rpc::ServerStream<v1::UploadPart, v1::UploadAnswer>;

  // `length`: of the body, if the client announced it. `limit`: for the node's silence.
  RelayedBody(Stream& stream, std::optional<uint64_t> length, std::chrono::milliseconds limit)
      : stream_(stream), length_(length), limit_(limit) {}

  std::optional<uint64_t> length() const override { return length_; }
  net::awaitable<Result<size_t>> Read(MutableBytes buffer) override;

 private:
  // Until a part with bytes, or the end, is there.
  net::awaitable<Result<void>> NextPart();
  Result<void> Take();

  Stream& stream_;
  const std::optional<uint64_t> length_;
  const std::chrono::milliseconds limit_;
  v1::UploadPart part_;
  size_t consumed_ = 0;  // of the part's data
  uint64_t received_ = 0;
  bool proceeding_ = false;
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace outport::store
