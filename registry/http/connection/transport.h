#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport::http {

namespace net = boost::asio;
using Deadline = std::chrono::steady_clock::time_point;

// A TCP connection as its user sees it: bytes are queued and leave with one send, system calls are
// tried first and the reactor is asked only when the kernel has nothing to give or to take, and
// every wait has a deadline. For one strand; nothing here blocks.
class Transport {
 public:
  // What a receive came to: bytes, nothing yet, or the end (`end_cause` empty if orderly).
  enum class Received { kBytes, kNothingYet, kEnd };

  // `strand`: where all methods are called.
  Transport(net::ip::tcp::socket socket, net::any_io_executor strand);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Receives what is there, without waiting; `size` says how much.
  Received Receive(MutableBytes buffer, size_t& size);
  // kCancelled after Interrupt() or the task's cancellation; kRequestTimeout.
  net::awaitable<Result<void>> WaitReadable(Deadline deadline);

  void Queue(Bytes bytes) { output_.append(AsText(bytes)); }
  // Gives large buffers back; for a connection that goes idle.
  void ReleaseBuffers();
  size_t queued() const { return output_.size() - sent_; }
  // Sends all that is queued; each wait for the peer to take a byte lasts at most `progress`.
  net::awaitable<Result<void>> Drain(std::chrono::steady_clock::duration progress);

  // Gives others on this thread a turn, once enough was moved without a wait; fails when the task
  // was cancelled.
  net::awaitable<Result<void>> Breathe(size_t moved_bytes);

  // Ends the wait under way and those to come.
  void Interrupt();
  // No more bytes will be sent; the peer sees an orderly end.
  void ShutdownSend();
  // Throws away what arrives until the peer closes, so that a reset cannot overtake an answer.
  net::awaitable<void> Linger(Deadline deadline, size_t at_most);
  // Resets the connection: what was sent cannot be taken for whole.
  void Reset();

  std::string PeerAddress() const;
  uint64_t sent_total() const { return sent_total_; }
  uint64_t received_total() const { return received_total_; }

 private:
  struct Watch;
  net::awaitable<Result<void>> Wait(net::ip::tcp::socket::wait_type type, Deadline deadline);

  std::shared_ptr<Watch> watch_;  // shared with the timer's handler
  std::string output_;
  size_t sent_ = 0;  // of output_
  size_t moved_ = 0;
  uint64_t sent_total_ = 0;
  uint64_t received_total_ = 0;
};

}  // namespace outport::http
