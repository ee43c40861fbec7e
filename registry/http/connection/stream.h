#pragma once

#include <memory>
#include <vector>

#include "registry/http/connection/transport.h"
#include "registry/security/tls/tls.h"

struct bio_st;
struct bio_method_st;

namespace outport::http {

// A TLS connection, or a plain TCP connection if `tls` is null. A BIO of our own collects outgoing
// TLS records, so that one send carries about 256 KiB. For one strand. Nothing here blocks, and
// every wait has a deadline.
class Stream {
 public:
  // `tls` is null for plain text. `progress` is the longest wait for the client to receive a byte.
  Stream(net::ip::tcp::socket socket, net::any_io_executor strand,
         std::shared_ptr<ServerTlsContext> tls, std::chrono::steady_clock::duration progress);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Performs the TLS handshake. Returns at once if the connection has no TLS. kMalformedRequest if
  // the handshake fails.
  net::awaitable<Result<void>> Handshake(Deadline deadline);

  // Waits for at least one byte, then reads all bytes that have arrived. Returns 0 at the end of
  // the stream. A TLS peer that closes without close_notify also ends the stream, because HTTP
  // detects a truncated message by its length. Returns kRequestTimeout at the deadline, and
  // kCancelled if the connection failed or was interrupted.
  net::awaitable<Result<size_t>> ReadSome(MutableBytes buffer, Deadline deadline);

  // Adds a short text, which the next Write() or Flush() sends.
  void Append(std::string_view text) { pending_.append(text); }
  // Sends `bytes`. If the last bytes are too few for a send of their own, keeps a copy until the
  // next Write() or Flush(). `bytes` need not outlive the call.
  net::awaitable<Result<void>> Write(Bytes bytes);
  net::awaitable<Result<void>> Flush();

  // Frees large buffers. Call it when the connection becomes idle.
  void ReleaseBuffers();

  // Sends the queued bytes, then ends the sending side. With `linger`, also reads and discards what
  // the client still sends, for a bounded time. Without lingering, a reset could overtake a
  // response that was sent before the whole request had arrived.
  net::awaitable<void> Close(bool linger);
  // Resets the connection, so that the client cannot mistake a truncated response for a whole one.
  void Reset();
  // Ends the wait in progress and all later waits.
  void Interrupt() { transport_.Interrupt(); }

  ssl_st* tls() const { return ssl_.get(); }  // nullptr for plain text
  std::string PeerAddress() const { return transport_.PeerAddress(); }
  uint64_t sent_bytes() const { return transport_.sent_total(); }
  uint64_t received_bytes() const { return transport_.received_total(); }

 private:
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  // Returns the callbacks of the BIO.
  static const bio_method_st* Method();
  static int WriteRecords(bio_st* bio, const char* data, size_t size, size_t* written);
  static int ReadRecords(bio_st* bio, char* data, size_t size, size_t* got);

  Result<void> Seal(Bytes bytes, size_t& sealed);
  net::awaitable<Result<void>> SealPending();
  size_t OpenRecords(MutableBytes buffer, bool& ended);

  Transport transport_;
  const std::shared_ptr<ServerTlsContext> context_;
  const std::chrono::steady_clock::duration progress_;
  std::unique_ptr<ssl_st, SslFree> ssl_;
  std::string pending_;  // plain text that is not encrypted yet
  // Received bytes that OpenSSL has not read. The buffer grows when a client fills it.
  std::vector<std::byte> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  bool input_ended_ = false;
  bool reset_ = false;
};

}  // namespace outport::http
