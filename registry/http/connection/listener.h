#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/address.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/task_group.h"
#include "registry/http/connection/lifeline.h"

namespace outport::http {

// Accepts connections, a bounded number at a time and from one address, each on a strand of its
// own, and ends them again. Whoever has not proved who it is (Lifeline::Recognise) makes place for
// the next one when there is none left, the oldest first: connections that only stand there shut
// nobody out. Safe for all threads.
class Listener {
 public:
  struct Options {
    std::string server;  // "registry" or "operations", for logs and metrics
    std::string listen;  // address:port, [v6]:port; port 0 picks one
    size_t connections = 0;
    size_t connections_of_one_address = 0;  // an IPv6 network of 64 bits counts as one
  };
  // Serves one connection until it ends. Its coroutine does not throw on cancellation: waits end.
  using Serve = std::function<net::awaitable<void>(net::ip::tcp::socket, Lifeline&)>;

  Listener(net::any_io_executor executor, Options options, Metrics& metrics, Log log, Serve serve);
  ~Listener();

  Result<void> Listen();
  uint16_t port() const { return port_; }
  std::string address() const { return WithPort(options_.listen, port_); }
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);
  // Has every connection look again at whether it may stay.
  void RecheckAll();

 private:
  net::awaitable<void> AcceptLoop();
  void Admit(net::ip::tcp::socket socket);
  net::awaitable<void> Run(net::ip::tcp::socket socket, net::ip::address peer);
  // Whether there is a place, or a stranger made one.
  bool TakePlace(const net::ip::address& peer);
  void LeavePlace(const net::ip::address& peer) OUTPORT_REQUIRES_LOCK(mutex_);
  bool DisplaceStranger(const net::ip::address* peer) OUTPORT_REQUIRES_LOCK(mutex_);
  void WarnOfRefusal(const net::ip::address& peer);
  std::shared_ptr<Lifeline> AddLifeline(const net::any_io_executor& strand,
                                        const net::ip::address& peer);
  void RemoveLifeline(const std::shared_ptr<Lifeline>& lifeline);
  void StopLifelines();

  const net::any_io_executor executor_;
  const Options options_;
  const Log log_;
  const Serve serve_;
  prometheus::Gauge& open_;
  prometheus::Counter& refused_;
  prometheus::Counter& displaced_;
  prometheus::Counter& accept_failures_;
  std::optional<net::ip::tcp::acceptor> acceptor_;  // on the accept loop's strand once started
  uint16_t port_ = 0;
  TaskGroup accepting_;
  TaskGroup connections_;
  // Of the accept loop.
  std::chrono::steady_clock::time_point warned_ = std::chrono::steady_clock::time_point::min();
  Mutex mutex_;
  size_t places_ OUTPORT_GUARDED_BY(mutex_) = 0;  // taken, without those who are leaving theirs
  std::map<net::ip::address, size_t> places_of_ OUTPORT_GUARDED_BY(mutex_);  // by peer
  // Shared with the connections.
  std::list<std::shared_ptr<Lifeline>> lifelines_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
};

}  // namespace outport::http
