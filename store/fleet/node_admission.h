#pragma once

#include <map>
#include <optional>
#include <string>

#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"

namespace outport::store {

// How many calls of a kind each node has under way. Safe for all threads; outlives its places.
class NodePlaces {
 public:
  // `what` names the calls in refusals: "blob streams". `open` shows how many all nodes have.
  NodePlaces(std::string what, size_t limit, prometheus::Gauge& open)
      : what_(std::move(what)), limit_(limit), open_(open) {}

  // One of a node's calls, counted while it lives.
  class Place {
   public:
    Place(NodePlaces& places, std::string node) : places_(&places), node_(std::move(node)) {}
    ~Place();
    Place(Place&& other) noexcept;
    Place& operator=(Place&&) = delete;

   private:
    NodePlaces* places_;
    std::string node_;
  };
  // kTooManyRequests beyond the limit.
  Result<Place> Take(const std::string& node);

 private:
  const std::string what_;
  const size_t limit_;
  prometheus::Gauge& open_;
  Mutex mutex_;
  std::map<std::string, size_t> taken_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
