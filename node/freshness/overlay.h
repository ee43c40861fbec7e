#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/replication.pb.h"
#include "registry/base/mutex.h"

namespace outport::node {

// What the store said of one key, and when it was asked (of Clock::SinceBoot).
struct Resolved {
  v1::ResolveResponse answer;
  std::chrono::nanoseconds asked{0};
  std::string replica_epoch = {};  // of the replica when the answer came
};

// How far the replica must have come to be no older than an answer.
struct Mark {
  v1::Position head;
  std::string replica_epoch;  // of the replica when the answer came
};
inline Mark MarkOf(const Resolved& resolved) {
  return {resolved.answer.head(), resolved.replica_epoch};
}
// Whether rows that stand at `applied` are no older than that.
bool HasPassed(const v1::Position& applied, const Mark& mark);

// The store's answers that are newer than the replica, each kept until the replica has passed the
// position of the answer: what this node once showed never goes backwards. Bounded: when it is full
// the answers are forgotten together, and until the replica has passed them all it is not trusted
// alone. Safe for all threads; does not block.
class Overlay {
 public:
  explicit Overlay(size_t limit = 10000) : limit_(limit) {}

  // `applied`: where the replica stood when the answer came. An answer that the replica has passed,
  // or that is older than the one that is kept, is left out.
  void Put(const std::string& key, const Resolved& resolved, const v1::Position& applied);
  // The answers that are older than `head` are forgotten, and until the replica has passed it, it
  // is not trusted alone: what changed there is not known key by key.
  void Distrust(const v1::Position& head, const v1::Position& applied);
  std::optional<Resolved> Find(const std::string& key, const v1::Position& applied);
  // Those whose keys begin with `prefix`, in byte order of the keys.
  std::vector<std::pair<std::string, Resolved>> FindAll(const std::string& prefix,
                                                        const v1::Position& applied) const;
  // Before the first Put: answers up to this mark were shown, and are not kept.
  void Forgot(const Mark& mark);
  // False while answers that are not kept any more may be newer than the replica: a key that is not
  // found here must be asked for.
  bool IsComplete(const v1::Position& applied) const;
  // True when the replica has passed every answer.
  bool IsPassed(const v1::Position& applied) const;

 private:
  const size_t limit_;
  mutable Mutex mutex_;
  std::map<std::string, Resolved> entries_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Mark> newest_ OUTPORT_GUARDED_BY(mutex_);     // of all answers ever kept
  std::optional<Mark> forgotten_ OUTPORT_GUARDED_BY(mutex_);  // the newest that was given up
};

}  // namespace outport::node
