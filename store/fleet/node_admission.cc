#include "store/fleet/node_admission.h"

#include <utility>

namespace outport::store {

NodePlaces::Place::Place(Place&& other) noexcept
    : places_(std::exchange(other.places_, nullptr)), node_(std::move(other.node_)) {}

NodePlaces::Place::~Place() {
  if (places_ == nullptr) return;
  MutexLock lock(places_->mutex_);
  const auto found = places_->taken_.find(node_);
  if (--found->second == 0) places_->taken_.erase(found);
  places_->open_.Decrement();
}

Result<NodePlaces::Place> NodePlaces::Take(const std::string& node) {
  MutexLock lock(mutex_);
  size_t& count = taken_[node];
  if (count >= limit_) {
    return Error{ErrorCode::kTooManyRequests, "the node " + node + " has " +
                                                  std::to_string(limit_) + " " + what_ +
                                                  " under way, and no more are allowed; try again "
                                                  "shortly"};
  }
  ++count;
  open_.Increment();
  return Place(*this, node);
}

}  // namespace outport::store
