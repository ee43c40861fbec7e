#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "registry/rpc/channel.h"
#include "registry/rpc/stream.h"

namespace outport::rpc {

// The client's side of a stream that only the server writes. For one coroutine at a time. The
// destructor cancels the call. REQUIRES: no Read() is in progress when the reader is destroyed.
template <class In>
class StreamReader {
 public:
  // `begin(context, reactor)` starts the call on the stub:
  //   auto begin = [&](auto* context, auto* reactor) {
  //     stub.async()->ReadBlob(context, &request, reactor);
  //   };
  template <class Begin>
  StreamReader(Begin begin, const std::string& request_id) : call_(std::make_shared<Call>()) {
    if (!request_id.empty()) call_->context.AddMetadata(kRequestIdKey, request_id);
    begin(&call_->context, call_.get());
    call_->Begin(call_);
  }
  ~StreamReader() {
    call_->context.TryCancel();
    call_->Release();
  }
  StreamReader(const StreamReader&) = delete;
  StreamReader& operator=(const StreamReader&) = delete;

  // Returns the next message, which is valid until the next Read(). Returns nullptr if the stream
  // has ended or if no message arrives within `limit`; End() then returns the reason. REQUIRES: the
  // coroutine runs on a strand.
  net::awaitable<In*> Read(std::chrono::milliseconds limit) {
    auto cancel = [call = call_] { call->context.TryCancel(); };
    call_->executor = co_await net::this_coro::executor;
    const OperationLimit deadline(call_->executor, limit, cancel);
    const std::shared_ptr<Call> call = call_;
    const bool ok = co_await call->read.Run([call] { call->StartRead(&call->message); });
    co_return ok ? &call->message : nullptr;
  }
  // Returns the final status. Call it once. REQUIRES: Read() returned nullptr.
  net::awaitable<grpc::Status> End() {
    const std::shared_ptr<Call> call = call_;
    call->end_awaited = true;
    co_await call->done.Run([call] { call->Release(); });
    co_return call->status;
  }

 private:
  struct Call final : grpc::ClientReadReactor<In> {
    void Begin(std::shared_ptr<Call> shared) {
      self = std::move(shared);
      this->AddHold();  // allows reads outside of gRPC's callbacks, until Release()
      this->StartCall();
    }
    // Lets gRPC end the call. Start no operation after this.
    void Release() {
      if (!std::exchange(released, true)) this->RemoveHold();
    }
    void OnReadDone(bool ok) override { read.Complete(ok); }
    void OnDone(const grpc::Status& final_status) override {
      std::shared_ptr<Call> last = std::move(self);
      status = final_status;
      if (end_awaited) done.Complete(status.ok());
      // Destroy the call on the reader's executor. The call's context may own the last reference to
      // the channel. If gRPC's own thread destroyed the channel, it would wait for itself.
      if (executor) net::post(net::any_io_executor(executor), [last = std::move(last)] {});
    }

    grpc::ClientContext context;
    net::any_io_executor executor;  // the reader's executor; empty before the first Read()
    In message;
    grpc::Status status;
    PendingOperation read;
    PendingOperation done;
    bool released = false;
    bool end_awaited = false;
    std::shared_ptr<Call> self;  // keeps the call alive for gRPC until OnDone()
  };

  std::shared_ptr<Call> call_;
};

}  // namespace outport::rpc
