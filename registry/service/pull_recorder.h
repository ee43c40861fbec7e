#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "registry/base/mutex.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"

namespace outport {

// The pull of a manifest by a tag or digest.
struct Pull {
  RepositoryName repository;
  Reference reference;
  int64_t time_ms = 0;
};

// Collects the pulls of manifests in memory until a background task takes them. A tag or digest
// leaves at most once an hour: later pulls in the hour have no effect. So the time of a recorded
// pull is up to an hour older than the last pull.
//
// The memory is bounded. If too many pulls wait, further ones are dropped and counted, first those
// of the repositories that already have a large share.
//
// Safe for all threads. Record() costs a lookup under a mutex.
class PullRecorder {
 public:
  struct Limits {
    size_t pulls = 65'536;          // that wait, and also the remembered ones of an hour
    size_t in_repository = 16'384;  // that wait in one repository
  };
  // `now_ms` returns the present time. It is called for each pull.
  explicit PullRecorder(std::function<int64_t()> now_ms)
      : PullRecorder(std::move(now_ms), Limits()) {}
  PullRecorder(std::function<int64_t()> now_ms, const Limits& limits)
      : now_ms_(std::move(now_ms)), limits_(limits) {}

  // Records a pull of the manifest `digest`, and of the tag if `reference` is one. REQUIRES: the
  // manifest was found, so that requests for unknown names cost no memory.
  void Record(const RepositoryName& repository, const Reference& reference, const Digest& digest);

  struct Taken {
    int64_t before_ms = 0;  // every earlier pull is in this batch, or in a previous one
    std::vector<Pull> pulls;
    uint64_t dropped = 0;  // pulls since the last call that found no place
  };
  // Takes the pulls that wait.
  Taken Take();

 private:
  struct Text {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  // The tags and digests of one repository that left in this hour, or wait.
  struct Seen {
    std::unordered_set<std::string, Text, std::equal_to<>> references;
    size_t waiting = 0;
    uint64_t batch = 0;  // `waiting` counts the pulls of this batch
  };
  using SeenIn = std::unordered_map<std::string, Seen, Text, std::equal_to<>>;

  void Add(const RepositoryName& repository, const Reference& reference, int64_t now_ms)
      OUTPORT_REQUIRES_LOCK(mutex_);
  // Forgets what left, so that there is memory for new pulls. Those that leave again do no harm.
  void Forget() OUTPORT_REQUIRES_LOCK(mutex_);

  const std::function<int64_t()> now_ms_;
  const Limits limits_;
  Mutex mutex_;
  SeenIn seen_ OUTPORT_GUARDED_BY(mutex_);
  size_t seen_count_ OUTPORT_GUARDED_BY(mutex_) = 0;
  int64_t hour_ OUTPORT_GUARDED_BY(mutex_) = 0;  // of `seen_`
  uint64_t batch_ OUTPORT_GUARDED_BY(mutex_) = 1;
  Taken waiting_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
