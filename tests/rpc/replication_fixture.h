#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/notifier.h"
#include "registry/rpc/channel.h"

namespace outport::rpc {

using namespace std::chrono_literals;

// A gRPC server on loopback without TLS, a stub to it, and a context that runs coroutines.
class ReplicationFixture : public testing::Test {
 protected:
  ReplicationFixture() : guard_(context_.get_executor()), runner_([this] { context_.run(); }) {
    KeepGrpcInitialized();
  }
  ~ReplicationFixture() override {
    StopServer();
    guard_.reset();
    runner_.join();
  }

  void StartServer(v1::Replication::CallbackService& service) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    const std::string address = "127.0.0.1:" + std::to_string(port);
    stub_ =
        v1::Replication::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }
  void StopServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now() + 1s);
    server_.reset();
  }

  // Runs a coroutine on a strand and returns its result.
  template <class Work>
  auto RunToEnd(Work work) {
    return net::co_spawn(net::make_strand(context_), std::move(work), net::use_future).get();
  }

  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  std::thread runner_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::Replication::Stub> stub_;
};

}  // namespace outport::rpc
