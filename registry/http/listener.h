#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/address.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/task_group.h"
#include "registry/http/lifeline.h"

namespace outport::http {

// Accepts connections, a bounded number at a time, each on a strand of its own, and ends them
// again. Safe for all threads.
class Listener {
 public:
  struct Options {
    std::string server;  // "registry" or "operations", for logs and metrics
    std::string listen;  // address:port, [v6]:port; port 0 picks one
    size_t connections = 0;
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

 private:
  net::awaitable<void> AcceptLoop();
  void Admit(net::ip::tcp::socket socket);
  net::awaitable<void> Run(net::ip::tcp::socket socket);
  std::shared_ptr<Lifeline> AddLifeline(const net::any_io_executor& strand);
  void RemoveLifeline(const std::shared_ptr<Lifeline>& lifeline);
  void StopLifelines();

  const net::any_io_executor executor_;
  const Options options_;
  const Log log_;
  const Serve serve_;
  prometheus::Gauge& open_;
  prometheus::Counter& refused_;
  prometheus::Counter& accept_failures_;
  std::optional<net::ip::tcp::acceptor> acceptor_;  // on the accept loop's strand once started
  uint16_t port_ = 0;
  TaskGroup accepting_;
  TaskGroup connections_;
  Mutex mutex_;
  // Shared with the connections.
  std::list<std::shared_ptr<Lifeline>> lifelines_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
};

}  // namespace outport::http
