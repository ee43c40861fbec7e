#include "registry/base/io_threads.h"

#include <algorithm>
#include <exception>

namespace outport {

IoThreads::IoThreads(Log log) : log_(std::move(log)), context_(static_cast<int>(Cores())) {}
IoThreads::~IoThreads() { Stop(); }

size_t IoThreads::Cores() { return std::max<size_t>(std::thread::hardware_concurrency(), 2); }

void IoThreads::Start() {
  work_.emplace(context_.get_executor());
  for (size_t i = 0; i < Cores(); ++i) threads_.emplace_back([this] { Run(); });
}

void IoThreads::Stop() {
  work_.reset();
  context_.stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void IoThreads::Run() {
  for (;;) {
    try {
      context_.run();
      return;
    } catch (const std::exception& exception) {
      log_.Error("handler failed: exception", {{"error", exception.what()}});
    }
  }
}

}  // namespace outport
