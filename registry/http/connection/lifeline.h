#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <utility>

#include "registry/http/connection/stream.h"

namespace outport::http {

// What a connection shows of itself to the server that stops: whether it waits between requests,
// and so may be ended at once, or is at work on one and ends after it. Its state lives on the
// connection's strand; Stop() may be called from anywhere, and so may what follows it.
class Lifeline : public std::enable_shared_from_this<Lifeline> {
 public:
  // `peer`: whom its place is counted for.
  Lifeline(net::any_io_executor strand, net::ip::address peer, bool stopping)
      : strand_(std::move(strand)), peer_(peer), stopping_(stopping) {}

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

  const net::ip::address& peer() const { return peer_; }
  // The client proved who it is: it makes place for nobody from here on.
  void Recognise() {
    Standing stranger = Standing::kStranger;
    standing_.compare_exchange_strong(stranger, Standing::kKnown);
  }
  // Ends the connection of a stranger; false if it is none.
  bool Displace() {
    Standing stranger = Standing::kStranger;
    if (!standing_.compare_exchange_strong(stranger, Standing::kDisplaced)) return false;
    Stop();
    return true;
  }
  bool displaced() const { return standing_ == Standing::kDisplaced; }

  // What looks again at whether the connection may stay; called on the strand, as this is.
  void SetRecheck(std::function<void()> recheck) { recheck_ = std::move(recheck); }
  void Recheck() {
    net::post(strand_, [self = shared_from_this()] {
      if (self->recheck_) self->recheck_();
    });
  }

  void Stop() {
    net::post(strand_, [self = shared_from_this()] {
      self->stopping_ = true;
      if (self->idle_ != nullptr) self->idle_->Interrupt();
    });
  }

 private:
  enum class Standing { kStranger, kKnown, kDisplaced };

  const net::any_io_executor strand_;
  const net::ip::address peer_;
  std::atomic<Standing> standing_ = Standing::kStranger;
  bool stopping_;
  Stream* idle_ = nullptr;
  std::function<void()> recheck_;
};

}  // namespace outport::http
