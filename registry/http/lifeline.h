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

  // Stands around a wait that a stop may end. Both that it names outlive it.
  class Idle {
   public:
    Idle(Lifeline& lifeline, Stream& stream) : lifeline_(lifeline) {
      lifeline_.idle_ = &stream;
      if (lifeline_.stopping_) stream.Interrupt();
    }
    ~Idle() { lifeline_.idle_ = nullptr; }
    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

   private:
    Lifeline& lifeline_;
  };

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
