#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <memory>

#include "registry/http/stream.h"

namespace outport::http {

// What a connection shows of itself to the server that stops: whether it waits between requests,
// and so may be ended at once, or is at work on one and ends after it. Its state lives on the
// connection's strand; Stop() may be called from anywhere.
class Lifeline : public std::enable_shared_from_this<Lifeline> {
 public:
  Lifeline(net::any_io_executor strand, bool stopping)
      : strand_(std::move(strand)), stopping_(stopping) {}

  // Around every wait that a stop may end. `stream` lives until EndIdle.
  void BeginIdle(Stream& stream) {
    idle_ = &stream;
    if (stopping_) stream.Interrupt();
  }
  void EndIdle() { idle_ = nullptr; }
  bool stopping() const { return stopping_; }
  const net::any_io_executor& strand() const { return strand_; }

  void Stop() {
    net::post(strand_, [self = shared_from_this()] {
      self->stopping_ = true;
      if (self->idle_ != nullptr) self->idle_->Interrupt();
    });
  }

 private:
  const net::any_io_executor strand_;
  bool stopping_;
  Stream* idle_ = nullptr;
};

}  // namespace outport::http
