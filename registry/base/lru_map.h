#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <utility>

namespace outport {

// A map of at most `limit` entries. At the limit, a new entry evicts the least recently used one.
// For one thread at a time. REQUIRES: limit > 0.
template <class Key, class Value>
class LruMap {
 public:
  explicit LruMap(size_t limit) : limit_(limit) {}

  // Returns the value of `key` and marks the entry as used; nullptr if the map does not contain
  // `key`. The pointer is valid until the next call of any other method.
  Value* Find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found->second);
    return &found->second->second;
  }
  // Returns the value of `key` and marks the entry as used. If the map does not contain `key`, this
  // inserts a default value first.
  Value& At(const Key& key) {
    if (Value* value = Find(key)) return *value;
    if (index_.size() >= limit_ && !recent_.empty()) {
      index_.erase(recent_.back().first);
      recent_.pop_back();
    }
    recent_.emplace_front(key, Value{});
    index_.emplace(key, recent_.begin());
    return recent_.front().second;
  }
  void Erase(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    recent_.erase(found->second);
    index_.erase(found);
  }
  // Erases each entry whose value `drop` accepts.
  template <class Predicate>
  void EraseIf(Predicate drop) {
    for (auto entry = recent_.begin(); entry != recent_.end();) {
      if (!drop(std::as_const(entry->second))) {
        ++entry;
        continue;
      }
      index_.erase(entry->first);
      entry = recent_.erase(entry);
    }
  }
  size_t size() const { return index_.size(); }

 private:
  using Entries = std::list<std::pair<Key, Value>>;
  const size_t limit_;
  Entries recent_;  // most recently used first
  std::map<Key, typename Entries::iterator> index_;
};

}  // namespace outport
