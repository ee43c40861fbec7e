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

// The threads that run a daemon's coroutines, one per core. If an exception escapes a handler, the
// thread logs the exception as a bug and continues.
class IoThreads {
 public:
  explicit IoThreads(Log log);
  // Calls Stop().
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  net::any_io_executor executor() { return context_.get_executor(); }
  void Start();
  // Discards pending handlers and joins the threads. First drain everything that uses the executor.
  // REQUIRES: the caller is not one of these threads.
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
