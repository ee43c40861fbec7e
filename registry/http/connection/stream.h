#pragma once

#include <memory>
#include <vector>

#include "registry/http/connection/transport.h"
#include "registry/security/tls/tls.h"

struct bio_st;
struct bio_method_st;

namespace outport::http {

// A connection that speaks TLS, or plain text where it was made without a context: the one stream
// type of the project. Records go through a BIO of our own that collects them, so that about 256
// KiB leave with one send. For one strand; nothing here blocks; every wait has a deadline.
class Stream {
 public:
  // `tls`: null for plain text. `progress`: how long the peer may take no byte of what we send.
  Stream(net::ip::tcp::socket socket, net::any_io_executor strand,
         std::shared_ptr<ServerTlsContext> tls, std::chrono::steady_clock::duration progress);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // At once for plain text. kMalformedRequest if the peer does not speak TLS as we do.
  net::awaitable<Result<void>> Handshake(Deadline deadline);

  // At least one byte, and as many as are there without a further wait; 0 when the peer has ended
  // (a TLS peer that just closes has ended too: lengths are HTTP's business). kRequestTimeout,
  // kCancelled.
  net::awaitable<Result<size_t>> ReadSome(MutableBytes buffer, Deadline deadline);

  // Adds a short text to what the next Write or Flush sends.
  void Append(std::string_view text) { pending_.append(text); }
  // Sends, except for what is too little to be worth a system call yet. `bytes` are not kept.
  net::awaitable<Result<void>> Write(Bytes bytes);
  net::awaitable<Result<void>> Flush();

  // Gives large buffers back; for a connection that goes idle.
  void ReleaseBuffers();

  // Says goodbye and sends it. With `linger` it then throws away what the peer still sends, for a
  // bounded time, so that an answer that was given early arrives.
  net::awaitable<void> Close(bool linger);
  // Resets the connection: the peer cannot take what it got for whole.
  void Cut();
  // Ends waits, now and later.
  void Interrupt() { transport_.Interrupt(); }

  ssl_st* tls() const { return ssl_.get(); }  // nullptr for plain text
  std::string PeerAddress() const { return transport_.PeerAddress(); }
  uint64_t sent_bytes() const { return transport_.sent_total(); }
  uint64_t received_bytes() const { return transport_.received_total(); }

 private:
  struct SslFree {
    void operator()(ssl_st* ssl) const;
  };
  // The BIO's two callbacks.
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
  std::string pending_;  // plain text, not sealed yet
  // Received, not yet read by OpenSSL. It grows once a client fills it.
  std::vector<std::byte> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  bool input_ended_ = false;
  bool cut_ = false;
};

}  // namespace outport::http
