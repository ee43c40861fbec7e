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
// in total and for each address. At the limit, the oldest unauthenticated connection
// (ConnectionSlot::MarkAuthenticated) is evicted for the new one; if there is none, the new one is
// closed. Safe for all threads.
class Listener {
 public:
  struct Options {
    std::string server;  // "registry" or "operations", for logs and metrics
    std::string listen;  // address:port, [v6]:port; port 0 picks one
    size_t connections = 0;
    size_t connections_of_one_address = 0;  // an IPv6 network of 64 bits counts as one
  };
  // Serves one connection until it ends. On cancellation, its awaits return early and do not throw.
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
  // Acquires a slot; evicts a connection if none is free. Returns false if that is not possible.
  bool AcquireSlot(const net::ip::address& address);
  void ReleaseSlot(const net::ip::address& address) OUTPORT_REQUIRES_LOCK(mutex_);
  // Evicts the oldest unauthenticated connection, of `address` unless that is null; false if there
  // is none.
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
  std::optional<net::ip::tcp::acceptor> acceptor_;  // on the accept loop's strand once started
  uint16_t port_ = 0;
  TaskGroup accepting_;
  TaskGroup connections_;
  // When the last warning of a rejection was logged. Used by the accept loop only.
  std::chrono::steady_clock::time_point warned_ = std::chrono::steady_clock::time_point::min();
  Mutex mutex_;
  size_t taken_ OUTPORT_GUARDED_BY(mutex_) = 0;  // slots in use, without evicted ones
  std::map<net::ip::address, size_t> taken_by_address_ OUTPORT_GUARDED_BY(mutex_);
  // Shared with the connections.
  std::list<std::shared_ptr<ConnectionSlot>> slots_ OUTPORT_GUARDED_BY(mutex_);
  bool stopping_ OUTPORT_GUARDED_BY(mutex_) = false;
};

}  // namespace outport::http
