#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "registry/base/log.h"

namespace outport {

namespace net = boost::asio;

// The threads that run a daemon's coroutines, one per core. An exception that escapes a handler is
// logged as a bug, and the thread continues.
class IoThreads {
 public:
  explicit IoThreads(Log log);
  // Stops.
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  net::any_io_executor executor() { return context_.get_executor(); }
  void Start();
  // Discards pending handlers and joins the threads. Call it when everything that uses the executor
  // has been drained. REQUIRES: not called from one of the threads.
  void Stop();

  // The number of cores, at least 2.
  static size_t Cores();

 private:
  void Run();

  const Log log_;
  net::io_context context_;
  std::optional<net::executor_work_guard<net::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

}  // namespace outport
