#include "store/replication/read_blob.h"

#include <algorithm>
#include <span>
#include <utility>

#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/rpc/channel.h"
#include "registry/storage/block_buffer.h"

namespace outport::store {

struct ReadBlob::OpenBlob {
  Digest digest;
  BlobLocation location;
  std::shared_ptr<const BlobReader> reader;  // a read on the pool shares it
  uint64_t begin = 0;
  uint64_t end = 0;
};

ReadBlob::ReadBlob(Blobs& blobs, BlockingPool& disk, TaskGroup& tasks, Metrics& metrics, Log log,
                   ReadBlobLimits limits)
    : blobs_(blobs),
      disk_(disk),
      tasks_(tasks),
      log_(std::move(log)),
      limits_(limits),
      started_(
          metrics.Counter("outport_store_blob_streams_started_total", "ReadBlob streams started.")),
      rejected_(metrics.Counter("outport_store_blob_streams_rejected_total",
                                "ReadBlob streams rejected because the node has too many open.")),
      sent_bytes_(
          metrics.Counter("outport_store_blob_sent_bytes_total", "Bytes of blobs sent to nodes.")),
      slots_("blob streams", limits.streams_per_node,
             metrics.Gauge("outport_store_blob_streams_open", "ReadBlob streams open.")) {}

grpc::ServerWriteReactor<v1::BlobChunk>* ReadBlob::Start(grpc::CallbackServerContext* context,
                                                         const v1::ReadBlobRequest* request,
                                                         std::string node, Allowed allowed) {
  auto serve = [this, request = *request, request_id = rpc::RequestIdOf(*context),
                node = std::move(node), allowed = std::move(allowed)](Stream& stream) {
    return Serve(stream, request, request_id, node, allowed);
  };
  return rpc::ServeStream<Stream>(context, tasks_, std::move(serve));
}

net::awaitable<Result<void>> ReadBlob::Serve(Stream& stream, const v1::ReadBlobRequest& request,
                                             const std::string& request_id, const std::string& node,
                                             const Allowed& allowed) {
  started_.Increment();
  CO_TRY_VOID(allowed());
  // Acquire the slot first, because it also bounds the open files and the work of the disk pool.
  const Result<Slots::Slot> slot = slots_.Acquire(node);
  if (!slot.has_value()) {
    rejected_.Increment();
    co_return slot.error();
  }
  auto open = [this, &request] { return Open(request); };
  CO_TRY(const OpenBlob blob, co_await Blocking(disk_, open));
  Result<void> sent = co_await Send(stream, blob, allowed);
  log_.Info("blob sent to node", {{"request_id", request_id},
                                  {"node", node},
                                  {"digest", request.digest()},
                                  {"offset", request.offset()},
                                  {"outcome", sent.has_value() ? "sent" : sent.error().message}});
  if (!sent.has_value() && sent.error().code == ErrorCode::kCorrupt) {
    co_await blobs_.QuarantineCorrupt(disk_, blob.digest, blob.location.object, sent.error());
  }
  co_return sent;
}

net::awaitable<Result<void>> ReadBlob::Send(Stream& stream, const OpenBlob& blob,
                                            const Allowed& allowed) {
  // A read on the pool shares the chunk.
  const auto shared = std::make_shared<v1::BlobChunk>();
  v1::BlobChunk& chunk = *shared;
  chunk.set_total_bytes(blob.reader->size_bytes());
  uint64_t offset = blob.begin;
  do {
    CO_TRY_VOID(allowed());
    const size_t size = std::min(kChecksumBlockBytes, blob.end - offset);
    const size_t block = std::min(kChecksumBlockBytes, blob.reader->size_bytes() - offset);
    std::string& data = *chunk.mutable_data();
    data.resize(block);
    if (block > 0) {
      const MutableBytes buffer = std::as_writable_bytes(std::span(data));
      CO_TRY_VOID(co_await ReadBlock(blob.reader, disk_, offset, buffer, shared));
      chunk.set_crc32c(blob.location.checksums[offset / kChecksumBlockBytes]);
    }
    if (!co_await stream.Write(chunk, limits_.progress_deadline)) {
      co_return Error{ErrorCode::kCancelled, "the node disconnected, or received no chunk in time"};
    }
    sent_bytes_.Increment(static_cast<double>(block));
    chunk.clear_total_bytes();
    offset += size;
  } while (offset < blob.end);
  co_return Result<void>();
}

Result<ReadBlob::OpenBlob> ReadBlob::Open(const v1::ReadBlobRequest& request) {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const Digest digest, Digest::Parse(request.digest()));
  TRY(Blobs::Opened opened, blobs_.Open(repository, digest));
  const uint64_t size = opened.blob.info.size_bytes;
  if (request.offset() % kChecksumBlockBytes != 0 || request.offset() > size) {
    return Error{ErrorCode::kInvalidArgument,
                 "reading " + digest.ToString() + " from " + std::to_string(request.offset()) +
                     ": the offset must be a multiple of 262144 and at most the blob's size, " +
                     std::to_string(size) + " bytes"};
  }
  const uint64_t rest = size - request.offset();
  const uint64_t length = request.length() == 0 ? rest : std::min(request.length(), rest);
  const uint64_t blocks = (size + kChecksumBlockBytes - 1) / kChecksumBlockBytes;
  if (opened.blob.location.checksums.size() != blocks) {
    return Error{ErrorCode::kCorrupt, "reading blob " + digest.ToString() +
                                          ": the blob's row has the wrong number of checksums"};
  }
  return OpenBlob{digest, std::move(opened.blob.location), std::move(opened.reader),
                  request.offset(), request.offset() + length};
}

}  // namespace outport::store
