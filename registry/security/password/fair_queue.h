#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <string>
#include <utility>

namespace outport {

// A queue of work in which origins take turns (round robin). In each round, an origin gets at most
// one piece of work done, so an origin with much work delays the others only a little. For one
// thread at a time.
class FairQueue {
 public:
  using Work = std::move_only_function<void()>;
  explicit FairQueue(size_t limit_per_origin) : limit_(limit_per_origin) {}

  // Whether `origin` may push one more piece of work.
  bool HasRoom(const std::string& origin) const {
    const auto found = index_.find(origin);
    return found == index_.end() || found->second->works.size() < limit_;
  }
  void Push(const std::string& origin, Work work) {
    auto found = index_.find(origin);
    if (found == index_.end()) {
      lanes_.push_back({origin, {}});
      found = index_.emplace(origin, std::prev(lanes_.end())).first;
    }
    found->second->works.push_back(std::move(work));
  }
  // Removes and returns the next piece of work. REQUIRES: the queue is not empty.
  Work Pop() {
    const auto lane = lanes_.begin();
    Work work = std::move(lane->works.front());
    lane->works.pop_front();
    if (lane->works.empty()) {
      index_.erase(lane->origin);
      lanes_.erase(lane);
    } else {
      lanes_.splice(lanes_.end(), lanes_, lane);
    }
    return work;
  }

 private:
  struct Lane {
    std::string origin;
    std::deque<Work> works;
  };
  const size_t limit_;
  std::list<Lane> lanes_;  // the front has the next turn
  std::map<std::string, std::list<Lane>::iterator> index_;
};

}  // namespace outport
