#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "registry/base/mutex.h"
#include "registry/base/task_group.h"
#include "registry/rpc/status.h"

// Streams of gRPC's callback API for coroutines. At most one read and one write may be in progress
// at a time; one coroutine may read while another one writes. Coroutines resume on their own
// executor.
namespace outport::rpc {

// One operation in progress. It resumes the coroutine that awaits it with gRPC's "ok".
class PendingOperation {
 public:
  // Calls `start` and returns the value that Complete() gets. If the coroutine is cancelled
  // meanwhile, calls `cancel`, which must make the operation end.
  template <class Start>
  net::awaitable<bool> Run(Start start, std::function<void()> cancel = nullptr) {
    auto initiate = [this, &start, &cancel](auto handler) {
      auto executor = net::get_associated_executor(handler);
      auto slot = net::get_associated_cancellation_slot(handler);
      if (cancel != nullptr && slot.is_connected()) {
        slot.assign([cancel = std::move(cancel)](net::cancellation_type) { cancel(); });
      }
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      resume_ = [shared, executor, guard = net::make_work_guard(executor)](bool ok) {
        net::post(executor, [shared, ok] { std::move (*shared)(ok); });
      };
      start();
    };
    co_return co_await net::async_initiate<const net::use_awaitable_t<>&, void(bool)>(
        std::move(initiate), net::use_awaitable);
  }
  // Called on gRPC's thread, once for each Run().
  void Complete(bool ok) { std::exchange(resume_, nullptr)(ok); }

 private:
  std::function<void(bool)> resume_;  // set before the operation starts, read after it ends
};

// Calls `expire` unless it is destroyed within `limit`. Construct and destroy it on one strand;
// `expire` runs there too, and never after the destructor.
class OperationLimit {
 public:
  OperationLimit(const net::any_io_executor& executor, std::chrono::milliseconds limit,
                 std::function<void()> expire)
      : state_(std::make_shared<State>(executor, std::move(expire))) {
    state_->timer.expires_after(limit);
    state_->timer.async_wait([state = state_](const boost::system::error_code& cancelled) {
      if (!cancelled && state->expire != nullptr) state->expire();
    });
  }
  ~OperationLimit() {
    state_->expire = nullptr;
    state_->timer.cancel();
  }
  OperationLimit(const OperationLimit&) = delete;
  OperationLimit& operator=(const OperationLimit&) = delete;

 private:
  struct State {
    State(const net::any_io_executor& executor, std::function<void()> e)
        : timer(executor), expire(std::move(e)) {}
    net::steady_timer timer;
    std::function<void()> expire;
  };
  std::shared_ptr<State> state_;  // shared with the timer's wait, which may end later
};

// The server's side of a streaming call. ServeStream() creates and ends it. It lives at least as
// long as the serving coroutine.
template <class Reactor>
class ServerCall : public Reactor {
 public:
  explicit ServerCall(grpc::CallbackServerContext* context) : context_(context) {}

  grpc::CallbackServerContext& context() { return *context_; }
  // Makes reads and writes in progress fail. May be called on any thread.
  void Cancel() { context_->TryCancel(); }
  // Ends the call with `status`; a read in progress fails. Further calls have no effect.
  // REQUIRES: no write is in progress, and neither a write nor context() follows.
  void End(const grpc::Status& status) {
    if (!std::exchange(ended_, true)) this->Finish(status);
  }
  bool ended() const { return ended_; }
  // The serving coroutine releases the object. REQUIRES: End() was called, no read is in progress,
  // and it is called once.
  void Release() {
    if (--holders_ == 0) delete this;
  }

 private:
  void OnDone() override { Release(); }

  grpc::CallbackServerContext* context_;
  bool ended_ = false;
  std::atomic<int> holders_ = 2;  // gRPC and the serving coroutine
};

template <class In, class Out>
class ServerStream final : public ServerCall<grpc::ServerBidiReactor<In, Out>> {
 public:
  using ServerCall<grpc::ServerBidiReactor<In, Out>>::ServerCall;

  // False if the peer has closed its side or left, and after End().
  net::awaitable<bool> Read(In& into) {
    if (this->ended()) co_return false;
    co_return co_await read_.Run([this, &into] { this->StartRead(&into); });
  }
  // False if the peer has left. `message` must live until the call returns.
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); });
  }
  // Read() and Write() with a deadline: cancel the call if the peer sends, or accepts, nothing for
  // `limit`. REQUIRES: the coroutine runs on a strand.
  net::awaitable<bool> Read(In& into, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit,
                                  [this] { this->Cancel(); });
    co_return co_await Read(into);
  }
  net::awaitable<bool> Write(const Out& message, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit,
                                  [this] { this->Cancel(); });
    co_return co_await Write(message);
  }

 private:
  void OnReadDone(bool ok) override { read_.Complete(ok); }
  void OnWriteDone(bool ok) override { write_.Complete(ok); }

  PendingOperation read_;
  PendingOperation write_;
};

// The server's side of a stream that only the server writes. See ServerStream.
template <class Out>
class ServerWriter final : public ServerCall<grpc::ServerWriteReactor<Out>> {
 public:
  using ServerCall<grpc::ServerWriteReactor<Out>>::ServerCall;

  // False if the peer has left. Cancels the call if the peer accepts nothing for `limit`.
  // REQUIRES: the coroutine runs on a strand.
  net::awaitable<bool> Write(const Out& message, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit,
                                  [this] { this->Cancel(); });
    co_return co_await write_.Run([this, &message] { this->StartWrite(&message); });
  }

 private:
  void OnWriteDone(bool ok) override { write_.Complete(ok); }

  PendingOperation write_;
};

// Serves a streaming call with a coroutine `serve(Stream&) -> awaitable<Result<void>>`, as a task
// of `tasks`. Ends the call with its result, unless `serve` has called End(). No read or write may
// be in progress when `serve` returns. Shut the server down, with a deadline, before you drain
// `tasks`.
template <class Stream, class Serve>
Stream* ServeStream(grpc::CallbackServerContext* context, TaskGroup& tasks, Serve serve) {
  auto* stream = new Stream(context);  // deletes itself, as gRPC's reactors do
  tasks.Spawn([stream, serve = std::move(serve)]() mutable -> net::awaitable<void> {
    grpc::Status status(grpc::StatusCode::INTERNAL,
                        "the call failed: internal error of the server");
    try {
      const Result<void> result = co_await serve(*stream);
      status = result.has_value() ? grpc::Status::OK : ToStatus(result.error());
    } catch (const std::exception&) {
      stream->End(status);
      stream->Release();
      throw;  // the task group logs it
    }
    stream->End(status);
    stream->Release();
  });
  return stream;
}

// Rejects a streaming call at once, without a task.
template <class Stream>
Stream* RejectStream(grpc::CallbackServerContext* context, const Error& why) {
  auto* stream = new Stream(context);  // deletes itself, as gRPC's reactors do
  stream->End(ToStatus(why));
  stream->Release();
  return stream;
}

// The client's side of a bidirectional stream. Several coroutines may share it. Await Close()
// before the last of them releases it.
template <class Out, class In>
class ClientStream final : public grpc::ClientBidiReactor<Out, In> {
 public:
  // `begin(context, reactor)` calls the stub: stub.async()->Sync(context, reactor). It may first
  // set up the context.
  template <class Begin>
  explicit ClientStream(Begin begin) {
    begin(&context_, this);
    this->AddHold();  // operations start outside of reactions, until Close()
    this->StartCall();
  }

  // False if the stream has ended; later calls return false too, and Close() returns the status. A
  // cancellation of the coroutine cancels the stream.
  net::awaitable<bool> Read(In& into) {
    return read_.Run([this, &into] { this->StartRead(&into); }, [this] { Cancel(); });
  }
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); }, [this] { Cancel(); });
  }
  // Write() with a deadline: cancels the stream if the peer accepts nothing for `limit`. REQUIRES:
  // the coroutine runs on a strand.
  net::awaitable<bool> Write(const Out& message, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit, [this] { Cancel(); });
    co_return co_await Write(message);
  }
  // Makes reads and writes in progress, and later ones, fail. May be called on any thread.
  void Cancel() { context_.TryCancel(); }
  // Cancels the stream if the server has not ended it, and returns the final status. REQUIRES: no
  // read or write is in progress, and it is called once.
  net::awaitable<grpc::Status> Close() {
    co_await done_.Run([this] {
      if (!ended_) context_.TryCancel();
      this->RemoveHold();
    });
    co_return status_;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) ended_ = true;
    read_.Complete(ok);
  }
  void OnWriteDone(bool ok) override { write_.Complete(ok); }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    done_.Complete(status.ok());
  }

  grpc::ClientContext context_;
  grpc::Status status_;
  bool ended_ = false;  // a read has failed; only reads set it, one at a time
  PendingOperation read_;
  PendingOperation write_;
  PendingOperation done_;
};

}  // namespace outport::rpc
