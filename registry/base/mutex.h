#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

// clang's thread-safety annotations. The prefix avoids a clash with protobuf's headers, which
// define GUARDED_BY.
#define OUTPORT_GUARDED_BY(x) __attribute__((guarded_by(x)))
#define OUTPORT_REQUIRES_LOCK(...) __attribute__((requires_capability(__VA_ARGS__)))
#define OUTPORT_EXCLUDES_LOCK(...) __attribute__((locks_excluded(__VA_ARGS__)))

namespace outport {

// A std::mutex with clang's annotations, which libstdc++ lacks. Never hold it across a co_await.
class __attribute__((capability("mutex"))) Mutex {
 public:
  void lock() __attribute__((acquire_capability())) { mutex_.lock(); }
  void unlock() __attribute__((release_capability())) { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class __attribute__((scoped_lockable)) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) __attribute__((acquire_capability(mutex))) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() __attribute__((release_capability())) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex. A wait can return without a notification, so test the condition
// in a loop.
class CondVar {
 public:
  void Wait(Mutex& mutex) OUTPORT_REQUIRES_LOCK(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // Waits for a notification. Returns false once the deadline has passed.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point deadline)
      OUTPORT_REQUIRES_LOCK(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const auto status = condition_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace outport
