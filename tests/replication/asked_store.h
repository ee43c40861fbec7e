#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/mutex.h"
#include "registry/rpc/channel.h"

namespace outport {

// A store that answers every question with the answer that the test has set when the question
// arrives. The test may hold the answers back, or make the calls fail. Safe for all threads.
class AskedStore final : public v1::Replication::Service {
 public:
  AskedStore() {
    rpc::KeepGrpcInitialized();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~AskedStore() override {
    Release();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  }
  std::shared_ptr<grpc::Channel> Dial() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                               grpc::InsecureChannelCredentials());
  }

  void Answer(const v1::ResolveResponse& answer) {
    MutexLock lock(mutex_);
    answer_ = answer;
  }
  // Whether every call fails.
  void Fail(bool fails) {
    MutexLock lock(mutex_);
    fails_ = fails;
  }
  void Hold() { SetHeld(true); }
  void Release() { SetHeld(false); }
  int asked() const {
    MutexLock lock(mutex_);
    return asked_;
  }

  grpc::Status Resolve(grpc::ServerContext* context, const v1::ResolveRequest*,
                       v1::ResolveResponse* response) override {
    MutexLock lock(mutex_);
    ++asked_;
    if (fails_) return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the pool is full"};
    *response = answer_;
    while (held_ && !context->IsCancelled()) {
      changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
    }
    return grpc::Status::OK;
  }

 private:
  void SetHeld(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  mutable Mutex mutex_;
  CondVar changed_;
  v1::ResolveResponse answer_ OUTPORT_GUARDED_BY(mutex_);
  bool fails_ OUTPORT_GUARDED_BY(mutex_) = false;
  bool held_ OUTPORT_GUARDED_BY(mutex_) = false;
  int asked_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport
