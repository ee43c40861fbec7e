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

// Streams of gRPC's callback API as something that coroutines read and write. At most one read and
// one write are under way at once, each awaited by one coroutine; a read and a write may be awaited
// by two. Coroutines resume on their own executor.
namespace outport::rpc {

// One operation under way: who awaits it, to be resumed with gRPC's "ok".
class PendingOperation {
 public:
  // Begins with `start` and returns what Complete() is given. `cancel` is called if the coroutine
  // is asked for cancellation meanwhile; the operation then ends by itself.
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
  // From gRPC's thread, once for each Run.
  void Complete(bool ok) { std::exchange(resume_, nullptr)(ok); }

 private:
  std::function<void(bool)> resume_;  // ordered by the operation itself: set before it, taken after
};

// Calls `expire` if it lives longer than `limit`. Made and destroyed on one strand, where `expire`
// runs too: never after the destructor.
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
  std::shared_ptr<State> state_;  // shared with the wait, which may end after the operation
};

// The server's side of a call that streams. Made by ServeStream, which also ends it; alive while
// the serving coroutine runs.
template <class Reactor>
class ServerCall : public Reactor {
 public:
  explicit ServerCall(grpc::CallbackServerContext* context) : context_(context) {}

  grpc::CallbackServerContext& context() { return *context_; }
  // Makes reads and writes under way fail; any thread.
  void Cancel() { context_->TryCancel(); }
  // Tells the peer that the call has ended, and why; a read that is under way fails. Only the first
  // one counts. REQUIRES: no write is under way, and neither a write nor context() comes after it.
  void End(const grpc::Status& status) {
    if (!std::exchange(ended_, true)) this->Finish(status);
  }
  bool ended() const { return ended_; }
  // The serving coroutine lets go. REQUIRES: End() was called, no read is under way; called once.
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

  // False when the peer has no more to say, or is gone, and after End().
  net::awaitable<bool> Read(In& into) {
    if (this->ended()) co_return false;
    co_return co_await read_.Run([this, &into] { this->StartRead(&into); });
  }
  // False when the peer is gone. `message` lives until the call returns.
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); });
  }
  // The same; a peer that sends, or takes, nothing for `limit` is cut off. REQUIRES: the coroutine
  // runs on a strand.
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

// The server's side of a stream that only the server writes; otherwise as ServerStream.
template <class Out>
class ServerWriter final : public ServerCall<grpc::ServerWriteReactor<Out>> {
 public:
  using ServerCall<grpc::ServerWriteReactor<Out>>::ServerCall;

  // False when the peer is gone. A peer that takes nothing for `limit` is cut off.
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

// Serves one call of a stream with a coroutine `serve(Stream&) -> awaitable<Result<void>>`, as a
// task of `tasks`, and ends the call with what it returned, unless it has done so itself. No read
// or write may be under way when it returns. The server must be shut down, with a deadline, before
// `tasks` is drained.
template <class Stream, class Serve>
Stream* ServeStream(grpc::CallbackServerContext* context, TaskGroup& tasks, Serve serve) {
  auto* stream = new Stream(context);  // deletes itself, as gRPC's reactors do
  tasks.Spawn([stream, serve = std::move(serve)]() mutable -> net::awaitable<void> {
    grpc::Status status(grpc::StatusCode::INTERNAL, "the call ended by an error of the server");
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

// Ends a call of a stream at once: nothing is queued for it.
template <class Stream>
Stream* RefuseStream(grpc::CallbackServerContext* context, const Error& why) {
  auto* stream = new Stream(context);  // deletes itself, as gRPC's reactors do
  stream->End(ToStatus(why));
  stream->Release();
  return stream;
}

// The client's side of a bidirectional stream. Shared by the coroutines that use it; Close() is
// called, and returns, before the last of them lets go.
template <class Out, class In>
class ClientStream final : public grpc::ClientBidiReactor<Out, In> {
 public:
  // `begin(context, reactor)` is the stub's: stub.async()->Sync(context, reactor). It may first set
  // what the context offers.
  template <class Begin>
  explicit ClientStream(Begin begin) {
    begin(&context_, this);
    this->AddHold();  // operations begin outside of reactions, until Close()
    this->StartCall();
  }

  // False when the stream has ended, and then later ones fail too; Close() says why. The
  // cancellation of the coroutine cancels the stream.
  net::awaitable<bool> Read(In& into) {
    return read_.Run([this, &into] { this->StartRead(&into); }, [this] { Cancel(); });
  }
  net::awaitable<bool> Write(const Out& message) {
    return write_.Run([this, &message] { this->StartWrite(&message); }, [this] { Cancel(); });
  }
  // The same; a peer that takes nothing for `limit` ends the stream. REQUIRES: the coroutine runs
  // on a strand.
  net::awaitable<bool> Write(const Out& message, std::chrono::milliseconds limit) {
    const OperationLimit deadline(co_await net::this_coro::executor, limit, [this] { Cancel(); });
    co_return co_await Write(message);
  }
  // Makes reads and writes under way, and later ones, fail; any thread.
  void Cancel() { context_.TryCancel(); }
  // Waits for the end, which comes at once: a stream that the server has not ended is cancelled.
  // REQUIRES: no read or write is under way; called once.
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
  bool ended_ = false;  // a read has failed; ordered by the reads, each awaited before the next
  PendingOperation read_;
  PendingOperation write_;
  PendingOperation done_;
};

}  // namespace outport::rpc
