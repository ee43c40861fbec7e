#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/server_callback.h>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/secret.h"
#include "registry/base/task_group.h"
#include "registry/rpc/channel.h"
#include "registry/rpc/status.h"

namespace outport::rpc {

struct CallOptions {
  std::string operation;  // for errors: "resolving library/busybox:latest at the store"
  std::chrono::milliseconds timeout{1000};
  std::string request_id;  // sent as metadata; empty: not sent
};

// Wipes the password in a request of push.proto. It cannot wipe gRPC's own buffers.
template <class Request>
void WipePassword(Request& request) {
  if constexpr (requires { request.mutable_sender()->mutable_password(); }) {
    if (request.has_sender()) Wipe(*request.mutable_sender()->mutable_password());
  }
}

// Makes a unary call through the callback API and resumes the caller on its own executor. Wipes the
// request's password when neither gRPC nor the caller needs the request:
//
//   auto invoke = [&](auto... a) { stub.async()->Resolve(a...); };
//   CO_TRY(auto response, co_await Call<v1::ResolveResponse>(invoke, request, options));
template <class Response, class Invoke, class Request>
net::awaitable<Result<Response>> Call(Invoke invoke, Request request, CallOptions options) {
  // The coroutine and the call share this state, because the call may end after the coroutine was
  // destroyed.
  struct State {
    grpc::ClientContext context;
    Request request;
    Response response;

    ~State() { WipePassword(request); }
  };
  auto state = std::make_shared<State>();
  state->request = std::move(request);
  state->context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  if (!options.request_id.empty()) state->context.AddMetadata(kRequestIdKey, options.request_id);
  auto initiate = [state, &invoke](auto handler) {
    auto executor = net::get_associated_executor(handler);
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    // Move `state` into the posted handler, so that it is destroyed on the caller's executor. The
    // context in `state` may own the last reference to the channel. If gRPC's own thread destroyed
    // the channel, it would wait for itself.
    auto done = [state, shared, executor,
                 guard = net::make_work_guard(executor)](const grpc::Status& status) mutable {
      net::post(executor,
                [shared, status, state = std::move(state)] { std::move (*shared)(status); });
    };
    invoke(&state->context, &state->request, &state->response,
           std::function<void(grpc::Status)>(std::move(done)));
  };
  const grpc::Status status =
      co_await net::async_initiate<const net::use_awaitable_t<>&, void(grpc::Status)>(
          std::move(initiate), net::use_awaitable);
  if (!status.ok()) co_return FromStatus(status, options.operation);
  co_return std::move(state->response);
}

// Rejects a unary call at once, without queueing work.
inline grpc::ServerUnaryReactor* Reject(grpc::CallbackServerContext* context, const Error& why) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToStatus(why));
  return reactor;
}

// Serves a unary method by running `serve`, which may block, on `pool`. `serve` returns a
// Result<Response>. It may use the context and the request, because gRPC keeps both until Finish().
template <class Response, class Serve>
grpc::ServerUnaryReactor* ServeBlocking(grpc::CallbackServerContext* context, BlockingPool& pool,
                                        Response* response, Serve serve) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto run = [reactor, response, serve = std::move(serve)]() mutable {
    Result<Response> result = Guarded(serve);
    const grpc::Status status = result.has_value() ? grpc::Status::OK : ToStatus(result.error());
    if (result.has_value()) *response = *std::move(result);
    reactor->Finish(status);
  };
  if (!pool.Post(std::move(run))) reactor->Finish(ToStatus(pool.Rejection()));
  return reactor;
}

// Serves a unary method with a coroutine `serve() -> awaitable<Result<Response>>`, which runs as a
// task of `tasks`. Before you drain `tasks`, shut the server down with a deadline, so that no new
// call starts a task.
template <class Response, class Serve>
grpc::ServerUnaryReactor* ServeTask(grpc::CallbackServerContext* context, TaskGroup& tasks,
                                    Response* response, Serve serve) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  tasks.Spawn([reactor, response, serve = std::move(serve)]() mutable -> net::awaitable<void> {
    grpc::Status status(grpc::StatusCode::INTERNAL,
                        "the call failed: internal error of the server; see its log");
    try {
      Result<Response> result = co_await serve();
      status = result.has_value() ? grpc::Status::OK : ToStatus(result.error());
      if (result.has_value()) *response = *std::move(result);
    } catch (const std::exception&) {
      reactor->Finish(status);
      throw;  // the task group logs it
    }
    reactor->Finish(status);
  });
  return reactor;
}

}  // namespace outport::rpc
