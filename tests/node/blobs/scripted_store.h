#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/mutex.h"
#include "registry/rpc/status.h"
#include "tests/node/blobs/test_blob.h"

namespace outport::node {

// A store that serves ReadBlob by the test's script. A new script applies to streams that begin
// later.
class ScriptedStore final : public v1::Replication::Service {
 public:
  struct Script {
    int times = 1 << 30;                            // how many streams the script applies to
    std::optional<uint64_t> cut_at = std::nullopt;  // the stream breaks before this byte
    Error cut_with = {ErrorCode::kUnavailable, "cut by the test"};
    std::optional<uint64_t> flip_at =
        std::nullopt;  // this byte is changed after its checksum was computed
    std::optional<TestBlob> instead =
        std::nullopt;  // other content, of the same size, with good checksums
    std::optional<Error> refuse = std::nullopt;
    std::optional<uint64_t> hold_at = std::nullopt;  // waits before this byte until Release()
  };

  void Add(const TestBlob& blob) {
    MutexLock lock(mutex_);
    blobs_.insert_or_assign(blob.digest().ToString(), blob);
  }
  void Play(Script script) {
    MutexLock lock(mutex_);
    script_ = std::move(script);
    held_ = true;
  }
  void Release() {
    MutexLock lock(mutex_);
    held_ = false;
    changed_.NotifyAll();
  }
  int streams() const {
    MutexLock lock(mutex_);
    return streams_;
  }
  // Waits until a stream is held, or the deadline.
  bool AwaitHeld(int count = 1) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    MutexLock lock(mutex_);
    while (holding_ < count) {
      if (!changed_.WaitUntil(mutex_, deadline)) return false;
    }
    return true;
  }

  grpc::Status ReadBlob(grpc::ServerContext* context, const v1::ReadBlobRequest* request,
                        grpc::ServerWriter<v1::BlobChunk>* writer) override {
    Script script;
    std::optional<TestBlob> blob;
    {
      MutexLock lock(mutex_);
      ++streams_;
      const auto found = blobs_.find(request->digest());
      if (found != blobs_.end()) blob = found->second;
      if (script_.times-- > 0) script = script_;
    }
    if (script.refuse.has_value()) return rpc::ToStatus(*script.refuse);
    if (!blob.has_value()) return rpc::ToStatus(Error{ErrorCode::kBlobUnknown, "no such blob"});
    const TestBlob& content = script.instead.has_value() ? *script.instead : *blob;
    for (uint64_t at = request->offset(); at < content.size_bytes(); at += kChecksumBlockBytes) {
      const uint64_t size = std::min(kChecksumBlockBytes, content.size_bytes() - at);
      auto within = [&](uint64_t byte) { return byte >= at && byte < at + size; };
      if (script.hold_at.has_value() && within(*script.hold_at)) Hold(*context);
      if (script.cut_at.has_value() && within(*script.cut_at)) {
        return rpc::ToStatus(script.cut_with);
      }
      v1::BlobChunk chunk;
      chunk.set_data(content.Content(at, size));
      chunk.set_crc32c(Crc32c(AsBytes(chunk.data())));
      if (at == request->offset()) chunk.set_total_bytes(content.size_bytes());
      if (script.flip_at.has_value() && within(*script.flip_at)) {
        (*chunk.mutable_data())[*script.flip_at - at] ^= 0x10;
      }
      if (!writer->Write(chunk)) break;
    }
    return grpc::Status::OK;
  }

 private:
  void Hold(grpc::ServerContext& context) {
    MutexLock lock(mutex_);
    ++holding_;
    changed_.NotifyAll();
    while (held_ && !context.IsCancelled()) {
      changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
    }
    --holding_;
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, TestBlob> blobs_ OUTPORT_GUARDED_BY(mutex_);
  Script script_ OUTPORT_GUARDED_BY(mutex_){.times = 0};
  bool held_ OUTPORT_GUARDED_BY(mutex_) = false;
  int holding_ OUTPORT_GUARDED_BY(mutex_) = 0;
  int streams_ OUTPORT_GUARDED_BY(mutex_) = 0;
};

}  // namespace outport::node
