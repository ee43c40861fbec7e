#include "node/blobs/blob_source.h"

#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <utility>

#include "node/upstream/store_stubs.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/rpc/channel.h"
#include "registry/rpc/status.h"
#include "registry/rpc/stream_reader.h"
#include "registry/storage/blob_store.h"

namespace outport::node {
namespace {

// The connection that a stream uses.
struct Connection {
  std::shared_ptr<StoreChannel> channel;
  std::shared_ptr<StoreStubs> store;

  // If the store rejected an old certificate and the node has a new one by now, a retry may
  // succeed. So convert that error.
  Error Classify(Error error) const {
    if (error.code != ErrorCode::kUnauthorized || channel->Stubs() == store) return error;
    error.code = ErrorCode::kUnavailable;
    return error;
  }
};

// Checks the size and the checksum of each chunk of one stream.
class ChunkCheck {
 public:
  ChunkCheck(const BlobRequest& request, uint64_t offset, const FetchMetrics& metrics)
      : metrics_(metrics),
        operation_("reading " + request.digest.ToString() + " from the store"),
        total_(request.size_bytes),
        position_(offset) {}

  const std::string& operation() const { return operation_; }
  bool complete() const { return position_ == total_; }

  Result<Bytes> Accept(const v1::BlobChunk& chunk) {
    if (std::exchange(first_, false) && chunk.total_bytes() != total_) {
      return Error{ErrorCode::kCorrupt,
                   operation_ + ": the blob has " + std::to_string(chunk.total_bytes()) +
                       " bytes at the store, but its link says " + std::to_string(total_)};
    }
    const Bytes data = AsBytes(chunk.data());
    const uint64_t expected = std::min(kChecksumBlockBytes, total_ - position_);
    if (data.size() != expected || Crc32c(data) != chunk.crc32c()) {
      metrics_.corrupt_chunk.Increment();
      return Error{ErrorCode::kUnavailable,
                   operation_ + ": the chunk at byte " + std::to_string(position_) + " is corrupt"};
    }
    position_ += data.size();
    return data;
  }
  Error Broken(const grpc::Status& status) const {
    if (!status.ok()) return rpc::FromStatus(status, operation_);
    return Error{ErrorCode::kUnavailable,
                 operation_ + ": the stream ended early, at byte " + std::to_string(position_)};
  }

 private:
  const FetchMetrics& metrics_;
  const std::string operation_;
  const uint64_t total_;
  uint64_t position_;
  bool first_ = true;
};

v1::ReadBlobRequest ToMessage(const BlobRequest& request, uint64_t offset) {
  v1::ReadBlobRequest message;
  message.set_repository(request.repository.ToString());
  message.set_digest(request.digest.ToString());
  message.set_offset(offset);
  return message;
}

}  // namespace

bool MayRetry(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kTooManyRequests:
    case ErrorCode::kInternal:
      return true;
    default:
      return false;
  }
}

Error ForClient(Error error) {
  if (error.code == ErrorCode::kDenied || error.code == ErrorCode::kUnauthorized) {
    error.code = ErrorCode::kUnavailable;
    error.message = "the store rejects this node: " + error.message;
  }
  return error;
}

struct BlobStream::Call {
  Call(ChunkCheck c, Connection n) : connection(std::move(n)), check(std::move(c)) {}
  const Connection connection;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<v1::BlobChunk>> reader;
  v1::BlobChunk chunk;
  ChunkCheck check;
  bool ended = false;
};

BlobStream::BlobStream(std::unique_ptr<Call> call) : call_(std::move(call)) {}

BlobStream::~BlobStream() {
  if (call_->ended) return;
  call_->context.TryCancel();
  call_->reader->Finish().IgnoreError();
}

void BlobStream::Cancel() { call_->context.TryCancel(); }

Result<Bytes> BlobStream::Next() {
  if (call_->check.complete()) return Bytes();
  if (!call_->ended && call_->reader->Read(&call_->chunk)) return call_->check.Accept(call_->chunk);
  if (std::exchange(call_->ended, true)) return call_->check.Broken(grpc::Status::OK);
  return call_->connection.Classify(call_->check.Broken(call_->reader->Finish()));
}

struct BlobChannel::Call {
  template <class Begin>
  Call(ChunkCheck c, Connection n, Begin begin, const std::string& request_id)
      : connection(std::move(n)), check(std::move(c)), reader(begin, request_id) {}
  const Connection connection;
  ChunkCheck check;
  rpc::StreamReader<v1::BlobChunk> reader;
};

BlobChannel::BlobChannel(std::unique_ptr<Call> call) : call_(std::move(call)) {}
BlobChannel::~BlobChannel() = default;

net::awaitable<Result<Bytes>> BlobChannel::Next(std::chrono::milliseconds limit) {
  if (call_->check.complete()) co_return Bytes();
  const v1::BlobChunk* chunk = co_await call_->reader.Read(limit);
  if (chunk != nullptr) co_return call_->check.Accept(*chunk);
  co_return call_->connection.Classify(call_->check.Broken(co_await call_->reader.End()));
}

BlobSource::BlobSource(const std::vector<std::shared_ptr<StoreChannel>>& channels,
                       const FetchMetrics& metrics, std::chrono::milliseconds stream_lifetime)
    : channels_(channels), metrics_(metrics), stream_lifetime_(stream_lifetime) {}
BlobSource::~BlobSource() = default;

const std::shared_ptr<StoreChannel>& BlobSource::NextChannel() {
  return channels_[next_++ % channels_.size()];
}

std::unique_ptr<BlobStream> BlobSource::Read(const BlobRequest& request, uint64_t offset) {
  const auto& channel = NextChannel();
  auto call = std::make_unique<BlobStream::Call>(ChunkCheck(request, offset, metrics_),
                                                 Connection{channel, channel->Stubs()});
  call->context.set_deadline(std::chrono::system_clock::now() + stream_lifetime_);
  if (!request.request_id.empty()) {
    call->context.AddMetadata(rpc::kRequestIdKey, request.request_id);
  }
  call->reader =
      call->connection.store->replication.ReadBlob(&call->context, ToMessage(request, offset));
  return std::make_unique<BlobStream>(std::move(call));
}

std::unique_ptr<BlobChannel> BlobSource::Subscribe(const BlobRequest& request, uint64_t offset) {
  const auto& channel = NextChannel();
  const Connection connection{channel, channel->Stubs()};
  const v1::ReadBlobRequest message = ToMessage(request, offset);
  auto begin = [&connection, &message](grpc::ClientContext* context, auto* reactor) {
    connection.store->replication.async()->ReadBlob(context, &message, reactor);
  };
  auto call = std::make_unique<BlobChannel::Call>(ChunkCheck(request, offset, metrics_), connection,
                                                  begin, request.request_id);
  return std::make_unique<BlobChannel>(std::move(call));
}

}  // namespace outport::node
