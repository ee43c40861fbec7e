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

// The slot that one connection holds at the listener. Through the slot, the listener ends, evicts
// or re-authorises the connection. Methods run on the connection's strand, unless their comment
// says "Any thread".
class ConnectionSlot : public std::enable_shared_from_this<ConnectionSlot> {
 public:
  // `address` is the client's network address. The slot counts towards the limit of this address.
  ConnectionSlot(net::any_io_executor strand, net::ip::address address, bool stopping)
      : strand_(std::move(strand)), address_(address), stopping_(stopping) {}

  // The connection creates an Idle while it waits for the next request. Stop() interrupts this
  // wait. The slot and the stream outlive the Idle.
  class Idle {
   public:
    Idle(ConnectionSlot& slot, Stream& stream) : slot_(slot) {
      slot_.idle_ = &stream;
      if (slot_.stopping_) stream.Interrupt();
    }
    ~Idle() { slot_.idle_ = nullptr; }
    Idle(const Idle&) = delete;
    Idle& operator=(const Idle&) = delete;

   private:
    ConnectionSlot& slot_;
  };

  // Whether the server is stopping. If so, the connection ends after the request in progress.
  bool stopping() const { return stopping_; }
  const net::any_io_executor& strand() const { return strand_; }
  const net::ip::address& address() const { return address_; }

  // Records that the client is authenticated. The listener then no longer evicts the connection.
  // Any thread.
  void MarkAuthenticated() {
    State expected = State::kUnauthenticated;
    state_.compare_exchange_strong(expected, State::kAuthenticated);
  }
  // If the client is unauthenticated, ends the connection and returns true. Otherwise returns
  // false. Any thread.
  bool Evict() {
    State expected = State::kUnauthenticated;
    if (!state_.compare_exchange_strong(expected, State::kEvicted)) return false;
    Stop();
    return true;
  }
  bool evicted() const { return state_ == State::kEvicted; }

  // Sets the function that re-authorises the connection; null removes it. The function runs on the
  // strand.
  void SetRecheck(std::function<void()> recheck) { recheck_ = std::move(recheck); }
  // Schedules the re-authorisation of the connection. Any thread.
  void Recheck() {
    net::post(strand_, [self = shared_from_this()] {
      if (self->recheck_) self->recheck_();
    });
  }

  // Ends an idle connection at once, and any other connection after its request. Any thread.
  void Stop() {
    net::post(strand_, [self = shared_from_this()] {
      self->stopping_ = true;
      if (self->idle_ != nullptr) self->idle_->Interrupt();
    });
  }

 private:
  enum class State { kUnauthenticated, kAuthenticated, kEvicted };

  const net::any_io_executor strand_;
  const net::ip::address address_;
  std::atomic<State> state_ = State::kUnauthenticated;
  bool stopping_;
  Stream* idle_ = nullptr;
  std::function<void()> recheck_;
};

}  // namespace outport::http
