#include "registry/base/blocking_pool.h"

#include <pthread.h>

namespace outport {

BlockingPool::BlockingPool(std::string name, size_t threads, size_t queue_limit, Log log)
    : name_(std::move(name)),
      queue_limit_(queue_limit),
      log_(std::move(log)),
      queue_(threads > kSpareThreads ? threads - kSpareThreads : threads) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Run(); });
    pthread_setname_np(threads_.back().native_handle(), name_.substr(0, 15).c_str());
  }
}

BlockingPool::~BlockingPool() { Stop(); }

bool BlockingPool::Post(Work work, Admission admission) {
  return Post(Holder(), {.run = std::move(work)}, admission);
}

bool BlockingPool::Post(const Holder& holder, FairQueue::Piece piece, Admission admission) {
  const size_t factor = admission == Admission::kInProgress ? kInProgressFactor : 1;
  std::optional<FairQueue::Piece> evicted;
  {
    MutexLock lock(mutex_);
    if (stopping_) return false;
    if (queue_.size() >= queue_limit_ * factor) {
      evicted = queue_.Evict(holder);
      if (!evicted.has_value()) return false;
    }
    queue_.Push(holder, std::move(piece));
  }
  ready_.NotifyOne();
  if (evicted.has_value()) {
    evicted->run = nullptr;  // destroys the data of the work before its caller resumes
    evicted->refuse();
  }
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

std::optional<FairQueue::Next> BlockingPool::Await(const std::optional<Done>& done) {
  MutexLock lock(mutex_);
  if (done.has_value()) queue_.Finished(done->piece, done->taken);
  while (!queue_.HasNext()) {
    if (stopping_ && queue_.size() == 0) {
      ready_.NotifyAll();
      return std::nullopt;
    }
    ready_.Wait(mutex_);
  }
  FairQueue::Next next = queue_.Pop();
  if (queue_.HasNext()) ready_.NotifyOne();
  return next;
}

void BlockingPool::Run() {
  using std::chrono::steady_clock;
  std::optional<Done> done;
  while (std::optional<FairQueue::Next> next = Await(done)) {
    const steady_clock::time_point begin = steady_clock::now();
    try {
      next->run();
    } catch (const std::exception& exception) {
      log_.Error("pool work failed: exception", {{"pool", name_}, {"error", exception.what()}});
    }
    next->run = nullptr;  // destroys the data of the work
    done.emplace(Done{.piece = *std::move(next), .taken = steady_clock::now() - begin});
  }
}

}  // namespace outport
