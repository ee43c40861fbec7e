#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "outport/v1/push.grpc.pb.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"

namespace outport::store {

// The body of an upload that a node relays. It has its own flow control: the node may send only the
// bytes for which the store has granted credit. Read() grants the credit, so a rejected upload gets
// none. The more bodies are in progress, the less credit each body has. gRPC's own flow control
// does not limit memory enough: its windows grow with the line's speed, even if the reader is slow.
// For one coroutine on a strand.
class RelayedBody final : public ByteSource {
 public:
  using Stream = rpc::ServerStream<v1::UploadPart, v1::UploadAnswer>;

  // Re-authorises the node and the user. RelayedBody calls this function for each part. It must not
  // block.
  using Recheck = std::function<Result<void>()>;

  // `length` is the length of the body, if the client announced it. `limit` is the longest wait for
  // the node to send or receive one message. `bodies` counts the bodies in progress. The counter
  // outlives the body.
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
  // Receives parts until a part has bytes or ends the body.
  net::awaitable<Result<void>> NextPart();
  // Validates and counts the part that was received.
  Result<void> AcceptPart();
  // Grants more credit, early enough that the node need not pause.
  net::awaitable<Result<void>> GrantCredit();

  Stream& stream_;
  const std::optional<uint64_t> length_;
  const std::chrono::milliseconds limit_;
  std::atomic<size_t>& bodies_;
  const Recheck recheck_;
  v1::UploadPart part_;
  size_t consumed_ = 0;  // bytes of part_ that Read() has returned
  uint64_t received_ = 0;
  uint64_t granted_ = 0;  // offset up to which the node may send
  bool ended_ = false;
  std::optional<Error> failure_;
};

}  // namespace outport::store
