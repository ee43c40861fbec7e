#pragma once

#include <memory>
#include <vector>

#include "registry/http/connection/transport.h"
#include "registry/security/tls/tls.h"

struct bio_st;
struct bio_method_st;

namespace outport::http {

// A TLS connection, or a plain TCP connection if it has no TLS context. Outgoing records are
// collected in a BIO of our own, so that one send carries about 256 KiB. For one strand. Nothing
// here blocks, and every wait has a deadline.
class Stream {
 public:
  // `tls`: null for plain text. `progress`: the longest wait for the client to receive a byte.
  Stream(net::ip::tcp::socket socket, net::any_io_executor strand,
         std::shared_ptr<ServerTlsContext> tls, std::chrono::steady_clock::duration progress);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Returns at once for plain text. kMalformedRequest if the handshake fails.
  net::awaitable<Result<void>> Handshake(Deadline deadline);

  // Reads at least one byte, and as many as are there without a further wait; 0 at the end. A TLS
  // peer that closes without close_notify has ended too: HTTP has lengths of its own.
  // kRequestTimeout, kCancelled.
  net::awaitable<Result<size_t>> ReadSome(MutableBytes buffer, Deadline deadline);

  // Adds a short text, which the next Write() or Flush() sends.
  void Append(std::string_view text) { pending_.append(text); }
  // Sends `bytes`. A remainder that is too small for a send of its own waits for the next Write()
  // or Flush(). `bytes` need not outlive the call.
  net::awaitable<Result<void>> Write(Bytes bytes);
  net::awaitable<Result<void>> Flush();

  // Frees large buffers. For a connection that becomes idle.
  void ReleaseBuffers();

  // Closes the connection in order. With `linger`, then discards what the client still sends, for
  // a bounded time: otherwise a reset could overtake an early response.
  net::awaitable<void> Close(bool linger);
  // Resets the connection, so that the client cannot mistake a truncated response for a whole one.
  void Reset();
  // Ends the wait in progress and all later ones.
  void Interrupt() { transport_.Interrupt(); }

  ssl_st* tls() const { return ssl_.get(); }  // nullptr for plain text
  std::string PeerAddress() const { return transport_.PeerAddress(); }
  uint64_t sent_bytes() const { return transport_.sent_total(); }
  uint64_t received_bytes() const { return transport_.received_total(); }

 private:
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  // The callbacks of the BIO.
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
  // Received bytes that OpenSSL has not read. It grows when a client fills it.
  std::vector<std::byte> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  bool input_ended_ = false;
  bool reset_ = false;
};

}  // namespace outport::http
