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

// A TCP connection. One send carries all queued bytes. Each operation first tries the system call.
// It waits for the reactor only if the kernel has no data or no free buffer. Every wait has a
// deadline. For one strand. Nothing here blocks.
class Transport {
 public:
  // The outcome of Receive(). kEnd: the peer closed or reset the connection.
  enum class Received { kBytes, kNothingYet, kEnd };

  // Call all methods on `strand`.
  Transport(net::ip::tcp::socket socket, net::any_io_executor strand);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Receives the bytes that have arrived, without a wait. Sets `size` to their number.
  Received Receive(MutableBytes buffer, size_t& size);
  // Waits until bytes arrive. Returns kCancelled after Interrupt() or if the task is cancelled, and
  // kRequestTimeout at the deadline.
  net::awaitable<Result<void>> WaitReadable(Deadline deadline);

  void Queue(Bytes bytes) { output_.append(AsText(bytes)); }
  // Frees large buffers. Call it when the connection becomes idle.
  void ReleaseBuffers();
  size_t queued() const { return output_.size() - sent_; }
  // Sends all queued bytes. `progress` is the longest wait for the peer to receive a byte.
  net::awaitable<Result<void>> Drain(std::chrono::steady_clock::duration progress);

  // Lets other coroutines of this thread run after every 4 MiB that were received or sent without a
  // wait. kCancelled if the task was cancelled.
  net::awaitable<Result<void>> Yield(size_t moved_bytes);

  // Ends the wait in progress and all later waits.
  void Interrupt();
  // Closes the sending side of the connection. REQUIRES: the caller sends nothing afterwards.
  void ShutdownSend();
  // Discards all received bytes until the peer closes the connection, so that a reset cannot
  // overtake a response.
  net::awaitable<void> Linger(Deadline deadline, size_t at_most);
  // Resets the connection, so that the peer cannot mistake a truncated response for a whole one.
  void Reset();

  std::string PeerAddress() const;
  uint64_t sent_total() const { return sent_total_; }
  uint64_t received_total() const { return received_total_; }

 private:
  struct Watch;
  net::awaitable<Result<void>> Wait(net::ip::tcp::socket::wait_type type, Deadline deadline);

  std::shared_ptr<Watch> watch_;  // shared with the timer's handler
  std::string output_;
  size_t sent_ = 0;   // number of bytes of output_ that were sent
  size_t moved_ = 0;  // bytes received and sent since the last wait
  uint64_t sent_total_ = 0;
  uint64_t received_total_ = 0;
};

}  // namespace outport::http
