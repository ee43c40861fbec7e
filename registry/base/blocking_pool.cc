#include "registry/base/blocking_pool.h"

#include <pthread.h>

namespace outport {

BlockingPool::BlockingPool(std::string name, size_t threads, size_t queue_limit, Log log)
    : name_(std::move(name)), queue_limit_(queue_limit), log_(std::move(log)) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
  }
}

BlockingPool::~BlockingPool() { Stop(); }

bool BlockingPool::Post(std::move_only_function<void()> work, Admission admission) {
  const size_t factor = admission == Admission::kInProgress ? kInProgressFactor : 1;
  {
    MutexLock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_limit_ * factor) return false;
    queue_.push_back(std::move(work));
  }
  ready_.NotifyOne();
  return true;
}

void BlockingPool::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  ready_.NotifyAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

Error BlockingPool::Rejection() const {
  return Error{ErrorCode::kTooManyRequests,
               "too much work is queued (" + name_ + "); retry shortly"};
}

void BlockingPool::Run() {
  for (;;) {
    std::move_only_function<void()> work;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) ready_.Wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    try {
      work();
    } catch (const std::exception& exception) {
      log_.Error("pool work failed: exception", {{"pool", name_}, {"error", exception.what()}});
    }
  }
}

}  // namespace outport
