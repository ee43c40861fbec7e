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

// Adapts the streams of gRPC's callback API to coroutines. One coroutine may read while another
// coroutine writes, but at most one read and one write may be in progress at a time. Each coroutine
// resumes on its own executor.
namespace outport::rpc {

// One read, write or end of a stream in progress. When it ends, the coroutine that awaits it
// resumes with gRPC's flag `ok`.
class PendingOperation {
 public:
  // Calls `start`, waits for Complete(ok) and returns `ok`. If the coroutine is cancelled during
  // the wait, this calls `cancel`, which must make the operation end.
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
  // gRPC's thread calls this once for each Run().
  void Complete(bool ok) { std::exchange(resume_, nullptr)(ok); }

 private:
  std::function<void(bool)> resume_;  // set before the operation starts, used when it ends
};

// Limits the duration of an operation. Calls `expire` if `limit` passes before the object is
// destroyed. Construct and destroy the object on one strand. `expire` runs on this strand too, and
// never after the destructor.
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
  std::shared_ptr<State> state_;  // the timer's wait, which may end later, also owns it
};

// The server's side of a streaming call. ServeStream() creates and ends the call. The object lives
// at least as long as the coroutine that serves the call.
template <class Reactor>
class ServerCall : public Reactor {
 public:
  explicit ServerCall(grpc::CallbackServerContext* context) : context_(context) {}

  grpc::CallbackServerContext& context() { return *context_; }
  // Makes the read and the write in progress fail. May be called on any thread.
  void Cancel() { context_->TryCancel(); }
  // Ends the call with `status`, so that a read in progress fails. A second End() has no effect.
  // REQUIRES: no write is in progress. Call neither Write() nor context() after End().
  void End(const grpc::Status& status) {
    if (!std::exchange(ended_, true)) this->Finish(status);
  }
  bool ended() const { return ended_; }
  // Releases the serving coroutine's reference to the object. Call it once. REQUIRES: End() was
  // called, and no read is in progress.
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

  // Returns false if the peer has closed its side or has disconnected, and after End().
  net::awaitable<bool> Read(In& into) {
    if (this->ended()) co_return false;
    co_return co_await read_.Run([this, &into] { this->StartRead(&into); });
  }
  // Returns false if the peer has disconnected. `message` must live until Write() returns.
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); });
  }
  // Like Read() and Write(), but cancel the call if the peer sends no message, or accepts none,
  // within `limit`. REQUIRES: the coroutine runs on a strand.
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

// The server's side of a stream on which only the server sends messages. See ServerStream.
template <class Out>
class ServerWriter final : public ServerCall<grpc::ServerWriteReactor<Out>> {
 public:
  using ServerCall<grpc::ServerWriteReactor<Out>>::ServerCall;

  // Returns false if the peer has disconnected. Cancels the call if the peer does not accept the
  // message within `limit`.
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

// Serves a streaming call with a coroutine `serve(Stream&) -> awaitable<Result<void>>`, which runs
// as a task of `tasks`. Ends the call with the result of `serve`, unless `serve` has called End().
// No read or write may be in progress when `serve` returns. Before you drain `tasks`, shut the
// server down with a deadline, so that no new call starts a task.
template <class Stream, class Serve>
Stream* ServeStream(grpc::CallbackServerContext* context, TaskGroup& tasks, Serve serve) {
  auto* stream = new Stream(context);  // deletes itself, as gRPC's reactors do
  tasks.Spawn([stream, serve = std::move(serve)]() mutable -> net::awaitable<void> {
    grpc::Status status(grpc::StatusCode::INTERNAL,
                        "the call failed: internal error of the server; see its log");
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

// The client's side of a bidirectional stream. Several coroutines may share the object. The last
// one must await Close() before it releases the object.
template <class Out, class In>
class ClientStream final : public grpc::ClientBidiReactor<Out, In> {
 public:
  // `begin(context, reactor)` starts the call on the stub: stub.async()->Sync(context, reactor).
  // Before this it may set up the context.
  template <class Begin>
  explicit ClientStream(Begin begin) {
    begin(&context_, this);
    this->AddHold();  // allows operations outside of gRPC's callbacks, until Close()
    this->StartCall();
  }

  // Returns false if the stream has ended. All later calls then return false too, and Close()
  // returns the status. If the coroutine is cancelled, so is the stream.
  net::awaitable<bool> Read(In& into) {
    return read_.Run([this, &into] { this->StartRead(&into); }, [this] { Cancel(); });
  }
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); }, [this] { Cancel(); });
  }
  // Like Write(), but cancels the stream if the peer does not accept the message within `limit`.
  // REQUIRES: the coroutine runs on a strand.
  net::awaitable<bool> Write(const Out& message, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit, [this] { Cancel(); });
    co_return co_await Write(message);
  }
  // Makes the read and the write in progress fail, and all later ones. May be called on any thread.
  void Cancel() { context_.TryCancel(); }
  // Cancels the stream if the server has not ended it, and returns the final status. Call it once.
  // REQUIRES: no read or write is in progress.
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
  bool ended_ = false;  // a read has failed; only reads use it, one at a time
  PendingOperation read_;
  PendingOperation write_;
  PendingOperation done_;
};

}  // namespace outport::rpc
