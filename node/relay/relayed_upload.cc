#include "node/relay/relayed_upload.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <span>
#include <utility>

#include "node/upstream/store_stubs.h"
#include "registry/rpc/channel.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kConnect{5000};
// This is long because the verification of the password may have to wait in a queue.
constexpr milliseconds kFirstAnswer{35000};
constexpr milliseconds kProgress{30000};
// The store needs time to sync the blob, and to hash it again if the digest has another algorithm.
// gRPC notices a lost connection sooner.
constexpr milliseconds kCommit{300000};
constexpr milliseconds kEnd{5000};
// After this time, a part is sent even if it is not full, so that the store sees the progress of a
// slow client.
constexpr milliseconds kFillTime{1000};

}  // namespace

RelayedUpload::RelayedUpload(Parts parts, ByteSource& body)
    : parts_(std::move(parts)),
      body_(body),
      store_(parts_.channel->Stubs()),
      stream_([this](grpc::ClientContext* context, auto* reactor) {
        if (!parts_.request_id.empty()) {
          context->AddMetadata(rpc::kRequestIdKey, parts_.request_id);
        }
        context->set_wait_for_ready(parts_.wait_for_connection);
        store_->push.async()->Upload(context, reactor);
      }) {}

net::awaitable<Result<v1::UploadAnswer>> RelayedUpload::Run(v1::UploadPart::Header header) {
  using net::experimental::awaitable_operators::operator||;
  // When the stream ends, Listen() returns and cancels Send(), which may be reading from the
  // client. Send() never returns before the stream ends.
  co_await (Listen() || Send(std::move(header)));
  const grpc::Status status = co_await stream_.Close();
  if (answer_.has_value()) co_return *std::move(answer_);
  if (truncated_) co_return *body_error_;
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    co_return Error{ErrorCode::kUnavailable,
                    "relaying the upload to the store: the store made no progress in time; retry"};
  }
  if (!status.ok()) co_return rpc::FromStatus(status, "relaying the upload to the store");
  co_return Error{
      ErrorCode::kUnavailable,
      "relaying the upload to the store: the store closed the stream without an answer; retry"};
}

net::awaitable<void> RelayedUpload::Listen() {
  co_await net::this_coro::throw_if_cancelled(false);
  v1::UploadAnswer answer;
  while (co_await stream_.Read(answer)) {
    if (answer.has_proceed()) {
      granted_ = answer.proceed().until();
    } else {
      answer_ = answer;
    }
    changed_.Notify();
  }
  ended_ = true;
  changed_.Notify();
}

net::awaitable<void> RelayedUpload::AwaitGrant(uint64_t bytes, milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  while (!ended_ && granted_ < bytes) {
    const auto cancellation = co_await net::this_coro::cancellation_state;
    if (cancellation.cancelled() != net::cancellation_type::none ||
        steady_clock::now() >= deadline) {
      stream_.Cancel();
      co_return;
    }
    const uint64_t seen = changed_.Version();
    co_await changed_.WaitPast(seen, deadline);
  }
}

net::awaitable<void> RelayedUpload::Send(v1::UploadPart::Header header) {
  co_await net::this_coro::throw_if_cancelled(false);
  v1::UploadPart first;
  *first.mutable_header() = std::move(header);
  const bool begun = co_await stream_.Write(first, kConnect);
  Wipe(*first.mutable_header()->mutable_session()->mutable_sender()->mutable_password());
  const bool has_body = body_.length() != 0;
  if (begun && has_body) {
    co_await AwaitGrant(1, kFirstAnswer);
    if (granted_ > 0 && !ended_) co_await SendBody();
  }
  co_await AwaitEnd(truncated_ ? kEnd : kCommit);
}

net::awaitable<void> RelayedUpload::SendBody() {
  using net::experimental::awaitable_operators::operator&&;
  co_await Fill(to_send_[0]);
  bool sent = true;
  for (size_t turn = 0; sent && !ended_; ++turn) {
    const v1::UploadPart& part = to_send_[turn % 2];
    if (body_done_ || body_error_.has_value()) {
      if (!part.data().empty()) sent = co_await Write(part);
      break;
    }
    sent = co_await (Write(part) && Fill(to_send_[(turn + 1) % 2]));
  }
  if (!sent || ended_) co_return;
  v1::UploadPart end;
  end.mutable_end()->set_truncated(body_error_.has_value());
  truncated_ = body_error_.has_value();
  co_await Write(end);
}

net::awaitable<bool> RelayedUpload::Write(const v1::UploadPart& part) {
  co_await net::this_coro::throw_if_cancelled(false);
  sent_ += part.data().size();
  co_await AwaitGrant(sent_, kProgress);
  if (ended_) co_return false;
  const bool sent = co_await stream_.Write(part, kProgress);
  if (sent) parts_.sent_bytes.Increment(static_cast<double>(part.data().size()));
  co_return sent;
}

net::awaitable<void> RelayedUpload::Fill(v1::UploadPart& part) {
  co_await net::this_coro::throw_if_cancelled(false);
  std::string& data = *part.mutable_data();
  data.resize(parts_.part_bytes);
  const MutableBytes buffer = std::as_writable_bytes(std::span(data));
  const auto send_at = steady_clock::now() + kFillTime;
  size_t filled = 0;
  while (filled < buffer.size() && !ended_) {
    const Result<size_t> got = co_await body_.Read(buffer.subspan(filled));
    if (!got.has_value()) {
      body_error_ = got.error();
      break;
    }
    if (*got == 0) {
      body_done_ = true;
      break;
    }
    filled += *got;
    if (steady_clock::now() >= send_at) break;
  }
  data.resize(filled);
}

}  // namespace outport::node
