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

// One connection's slot at the listener. The listener uses it to end, evict or re-authorise the
// connection. Its state lives on the connection's strand; methods that say so are safe for all
// threads.
class ConnectionSlot : public std::enable_shared_from_this<ConnectionSlot> {
 public:
  // `address`: the client's network address, which the slot is charged to.
  ConnectionSlot(net::any_io_executor strand, net::ip::address address, bool stopping)
      : strand_(std::move(strand)), address_(address), stopping_(stopping) {}

  // Marks a wait between requests, which Stop() interrupts. Slot and stream outlive it.
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

  // The server stops: the connection ends after the request in progress.
  bool stopping() const { return stopping_; }
  const net::any_io_executor& strand() const { return strand_; }
  const net::ip::address& address() const { return address_; }

  // The client proved who it is: its connection is no longer evicted. Any thread.
  void MarkAuthenticated() {
    State expected = State::kUnauthenticated;
    state_.compare_exchange_strong(expected, State::kAuthenticated);
  }
  // Ends the connection if its client is unauthenticated; returns false otherwise. Any thread.
  bool Evict() {
    State expected = State::kUnauthenticated;
    if (!state_.compare_exchange_strong(expected, State::kEvicted)) return false;
    Stop();
    return true;
  }
  bool evicted() const { return state_ == State::kEvicted; }

  // Sets the function that re-authorises the connection, or null. Both run on the strand.
  void SetRecheck(std::function<void()> recheck) { recheck_ = std::move(recheck); }
  // Schedules the re-authorisation of the connection. Any thread.
  void Recheck() {
    net::post(strand_, [self = shared_from_this()] {
      if (self->recheck_) self->recheck_();
    });
  }

  // Ends the connection: at once if it is idle, otherwise after its request. Any thread.
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
