#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/replication.pb.h"
#include "registry/base/mutex.h"
#include "registry/records/resolve.h"

namespace outport::node {

// The position of an answer of the store. A replica that has reached it is at least as new as the
// answer.
struct Mark {
  v1::Position position;      // the answer's position
  std::string replica_epoch;  // the replica's epoch when the answer came
};
// Whether rows at the position `applied` are no older than the answer with this mark.
bool HasPassed(const v1::Position& applied, const Mark& mark);

// The store's answer to one question.
struct StoreAnswer {
  ResolveAnswer answer;
  v1::Position position;              // the answer is the store's state at this position
  std::chrono::nanoseconds asked{0};  // when the node asked, by Clock::SinceBoot
  std::string replica_epoch = {};     // the replica's epoch when the answer came

  Mark mark() const { return {position, replica_epoch}; }
};

// The store's answers that are newer than the replica. The overlay keeps each answer until the
// replica has passed the answer's position, so that this node's answers never go backwards.
// The overlay is bounded. If it is full of answers that the replica has not passed, it drops all
// these answers. The overlay is then incomplete until the replica has passed the newest dropped
// answer. Meanwhile the replica may be older than an answer that this node has sent.
// Safe for all threads; does not block.
class Overlay {
 public:
  explicit Overlay(size_t limit = 10000) : limit_(limit) {}

  // Records that an earlier process sent answers up to `mark`, which this process does not know.
  // Call it before the first Put().
  void RestoreMark(const Mark& mark);

  // Keeps an answer, unless the replica at `applied` has passed it or the overlay has a newer
  // answer to the question.
  void Put(const ResolveQuestion& question, const StoreAnswer& answer, const v1::Position& applied);
  // Drops the answers that are older than `position`, because the change at `position` may affect
  // any question. The overlay is incomplete until the replica has passed `position`.
  void DropOlder(const v1::Position& position, const v1::Position& applied);

  // Returns the kept answer; nullopt if there is none, or if the replica at `applied` has passed
  // it.
  std::optional<StoreAnswer> Find(const ResolveQuestion& question, const v1::Position& applied);
  // Returns the answers about a repository's tags, by tag in byte order.
  std::vector<std::pair<Tag, StoreAnswer>> FindTags(const RepositoryName& repository,
                                                    const v1::Position& applied) const;
  // Returns the repositories that exist according to the kept answers.
  std::set<RepositoryName> FindRepositories(const v1::Position& applied) const;

  // Returns false while a dropped answer may be newer than the replica at `applied`.
  bool IsComplete(const v1::Position& applied) const;
  // Returns true if the replica at `applied` has passed every answer, kept or dropped.
  bool IsPassed(const v1::Position& applied) const;

 private:
  // Orders by repository first, so that the questions about one repository are adjacent.
  struct Order {
    using is_transparent = void;
    bool operator()(const ResolveQuestion& a, const ResolveQuestion& b) const { return a < b; }
    bool operator()(const ResolveQuestion& a, const RepositoryName& b) const {
      return a.repository < b;
    }
    bool operator()(const RepositoryName& a, const ResolveQuestion& b) const {
      return a < b.repository;
    }
  };

  const size_t limit_;
  mutable Mutex mutex_;
  std::map<ResolveQuestion, StoreAnswer, Order> answers_ OUTPORT_GUARDED_BY(mutex_);
  // The newest mark of all answers that the overlay ever kept.
  std::optional<Mark> newest_ OUTPORT_GUARDED_BY(mutex_);
  // The newest mark of the dropped answers.
  std::optional<Mark> newest_dropped_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
