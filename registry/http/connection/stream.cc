#include "registry/http/connection/stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

namespace outport::http {
namespace {

constexpr size_t kSendBytes = 256 << 10;  // collect this many bytes before a send
constexpr size_t kSmallInput = 16 << 10;  // enough for a handshake and a request
constexpr size_t kLargeInput = 64 << 10;  // for uploads
constexpr std::chrono::seconds kLingerTime{5};
constexpr size_t kLingerBytes = 64 << 20;

std::string LastTlsError() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "the connection ended" : reason;
}

struct MethodFree {
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace

void Stream::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

const bio_method_st* Stream::Method() {
  static const std::unique_ptr<BIO_METHOD, MethodFree> method = [] {
    std::unique_ptr<BIO_METHOD, MethodFree> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "outport stream"));
    BIO_meth_set_write_ex(made.get(), &Stream::WriteRecords);
    BIO_meth_set_read_ex(made.get(), &Stream::ReadRecords);
    BIO_meth_set_ctrl(made.get(), &Control);
    return made;
  }();
  return method.get();
}

int Stream::WriteRecords(bio_st* bio, const char* data, size_t size, size_t* written) {
  auto* stream = static_cast<Stream*>(BIO_get_data(bio));
  stream->transport_.Queue(AsBytes({data, size}));
  *written = size;
  return 1;
}

int Stream::ReadRecords(bio_st* bio, char* data, size_t size, size_t* got) {
  auto* stream = static_cast<Stream*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *got = 0;
  if (stream->input_begin_ == stream->input_end_) {
    if (stream->input_ended_) return 0;
    if (stream->input_end_ == kSmallInput && stream->input_.size() == kSmallInput) {
      stream->input_.resize(kLargeInput);
    }
    size_t received = 0;
    const auto outcome = stream->transport_.Receive(stream->input_, received);
    stream->input_begin_ = 0;
    stream->input_end_ = received;
    if (outcome == Transport::Received::kNothingYet) BIO_set_retry_read(bio);
    if (outcome == Transport::Received::kEnd) stream->input_ended_ = true;
    if (received == 0) return 0;
  }
  *got = std::min(size, stream->input_end_ - stream->input_begin_);
  std::memcpy(data, stream->input_.data() + stream->input_begin_, *got);
  stream->input_begin_ += *got;
  return 1;
}

Stream::Stream(net::ip::tcp::socket socket, net::any_io_executor strand,
               std::shared_ptr<ServerTlsContext> tls, std::chrono::steady_clock::duration progress)
    : transport_(std::move(socket), std::move(strand)),
      context_(std::move(tls)),
      progress_(progress) {
  if (context_ == nullptr) return;
  input_.resize(kSmallInput);
  ssl_.reset(SSL_new(context_->native()));
  BIO* bio = BIO_new(Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS);
  SSL_set_accept_state(ssl_.get());
}

Stream::~Stream() = default;

net::awaitable<Result<void>> Stream::Handshake(Deadline deadline) {
  if (ssl_ == nullptr) co_return Result<void>();
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    const int reason = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), done);
    std::string cause = reason == SSL_ERROR_SSL ? LastTlsError() : "the connection ended";
    const Result<void> sent = co_await transport_.Drain(progress_);  // sends alerts too
    if (done == 1) co_return sent;
    if (reason != SSL_ERROR_WANT_READ) {
      co_return Error{ErrorCode::kMalformedRequest, "the TLS handshake failed: " + cause};
    }
    CO_TRY_VOID(sent);
    CO_TRY_VOID(co_await transport_.WaitReadable(deadline));
  }
}

size_t Stream::OpenRecords(MutableBytes buffer, bool& ended) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    size_t got = 0;
    if (ssl_ == nullptr) {
      const auto outcome = transport_.Receive(buffer.subspan(filled), got);
      if (outcome == Transport::Received::kEnd) ended = true;
    } else {
      ERR_clear_error();
      const int read =
          SSL_read_ex(ssl_.get(), buffer.data() + filled, buffer.size() - filled, &got);
      if (read != 1) {
        got = 0;
        ended = SSL_get_error(ssl_.get(), read) != SSL_ERROR_WANT_READ;
      }
    }
    if (got == 0) break;
    filled += got;
  }
  return filled;
}

net::awaitable<Result<size_t>> Stream::ReadSome(MutableBytes buffer, Deadline deadline) {
  for (;;) {
    if (reset_) co_return Error{ErrorCode::kCancelled, "the connection was reset"};
    bool ended = false;
    const size_t filled = OpenRecords(buffer, ended);
    // Sends what TLS itself has to reply, such as a key update or an alert.
    if (transport_.queued() > 0) {
      CO_TRY_VOID(co_await transport_.Drain(progress_));
    }
    if (filled > 0) {
      CO_TRY_VOID(co_await transport_.Yield(filled));
      co_return filled;
    }
    if (ended) co_return size_t{0};
    CO_TRY_VOID(co_await transport_.WaitReadable(deadline));
  }
}

Result<void> Stream::Seal(Bytes bytes, size_t& sealed) {
  if (ssl_ == nullptr) {
    sealed = std::min(bytes.size(), kSendBytes);
    transport_.Queue(bytes.first(sealed));
    return {};
  }
  ERR_clear_error();
  if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sealed) == 1) return {};
  return Error{ErrorCode::kCancelled, "the TLS connection failed: " + LastTlsError()};
}

net::awaitable<Result<void>> Stream::SealPending() {
  if (pending_.empty()) co_return Result<void>();
  const std::string text = std::exchange(pending_, {});
  co_return co_await Write(AsBytes(text));
}

net::awaitable<Result<void>> Stream::Write(Bytes bytes) {
  if (reset_) co_return Error{ErrorCode::kCancelled, "the connection was reset"};
  CO_TRY_VOID(co_await SealPending());
  const size_t total = bytes.size();
  while (!bytes.empty()) {
    size_t sealed = 0;
    CO_TRY_VOID(Seal(bytes, sealed));
    bytes = bytes.subspan(sealed);
    if (transport_.queued() >= kSendBytes) {
      CO_TRY_VOID(co_await transport_.Drain(progress_));
    }
  }
  co_return co_await transport_.Yield(total);
}

net::awaitable<Result<void>> Stream::Flush() {
  if (reset_) co_return Error{ErrorCode::kCancelled, "the connection was reset"};
  CO_TRY_VOID(co_await SealPending());
  co_return co_await transport_.Drain(progress_);
}

void Stream::ReleaseBuffers() {
  transport_.ReleaseBuffers();
  if (input_begin_ == input_end_ && input_.size() > kSmallInput) {
    input_ = std::vector<std::byte>(kSmallInput);
    input_begin_ = input_end_ = 0;
  }
}

net::awaitable<void> Stream::Close(bool linger) {
  if (reset_) co_return;
  if (ssl_ != nullptr && SSL_is_init_finished(ssl_.get()) == 1) {
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());  // queues close_notify; waits for no reply
    ERR_clear_error();
  }
  const Result<void> sent = co_await transport_.Drain(progress_);
  if (!sent.has_value()) co_return;
  transport_.ShutdownSend();
  if (!linger) co_return;
  co_await transport_.Linger(std::chrono::steady_clock::now() + kLingerTime, kLingerBytes);
}

void Stream::Reset() {
  reset_ = true;
  transport_.Reset();
}

}  // namespace outport::http
