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
#include "registry/http/connection/connection_slot.h"

namespace outport::http {

// Accepts connections and serves each on a strand of its own. The number of connections is limited,
// in total and for each address. At the limit, the listener evicts the oldest unauthenticated
// connection for the new one (see ConnectionSlot::MarkAuthenticated). If all connections are
// authenticated, the listener closes the new one. Safe for all threads.
class Listener {
 public:
  struct Options {
    std::string server;  // "registry" or "operations", for logs and metrics
    std::string listen;  // address:port or [v6]:port; for port 0 the system chooses one
    size_t connections = 0;
    size_t connections_of_one_address = 0;  // an IPv6 /64 network counts as one address
  };
  // Serves one connection until it ends. If the coroutine is cancelled, its waits end early and do
  // not throw.
  using Serve = std::function<net::awaitable<void>(net::ip::tcp::socket, ConnectionSlot&)>;

  Listener(net::any_io_executor executor, Options options, Metrics& metrics, Log log, Serve serve);
  ~Listener();

  Result<void> Listen();
  uint16_t port() const { return port_; }
  std::string address() const { return WithPort(options_.listen, port_); }
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);
  // Schedules the re-authorisation of every connection.
  void RecheckAll();

 private:
  net::awaitable<void> AcceptLoop();
  void Admit(net::ip::tcp::socket socket);
  net::awaitable<void> Run(net::ip::tcp::socket socket, net::ip::address address);
  // Acquires a slot. If no slot is free, evicts a connection first. Returns false if no slot could
  // be acquired.
  bool AcquireSlot(const net::ip::address& address);
  void ReleaseSlot(const net::ip::address& address) OUTPORT_REQUIRES_LOCK(mutex_);
  // Evicts the oldest unauthenticated connection. If `address` is not null, only connections of
  // this address are candidates. Returns false if there is no candidate.
  bool EvictUnauthenticated(const net::ip::address* address) OUTPORT_REQUIRES_LOCK(mutex_);
  void WarnOfRejection(const net::ip::address& address);
  std::shared_ptr<ConnectionSlot> AddSlot(const net::any_io_executor& strand,
                                          const net::ip::address& address);
  void RemoveSlot(const std::shared_ptr<ConnectionSlot>& slot);
  void StopAll();

  const net::any_io_executor executor_;
  const Options options_;
  const Log log_;
  const Serve serve_;
  prometheus::Gauge& open_;
  prometheus::Counter& rejected_;
  prometheus::Counter& evicted_;
  prometheus::Counter& accept_failures_;
  std::optional<net::ip::tcp::acceptor> acceptor_;  // used on the accept loop's strand
  uint16_t port_ = 0;
  TaskGroup accepting_;
  TaskGroup connections_;
  // The time of the last warning about a rejected connection. Only the accept loop uses it.
  std::chrono::steady_clock::time_point warned_ = std::chrono::steady_clock::time_point::min();
  Mutex mutex_;
  size_t taken_ OUTPORT_GUARDED_BY(mutex_) = 0;  // slots in use, except evicted connections
  std::map<net::ip::address, size_t> taken_by_address_ OUTPORT_GUARDED_BY(mutex_);
  // Each slot is shared with its connection.
  std::list<std::shared_ptr<ConnectionSlot>> slots_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
};

}  // namespace outport::http
