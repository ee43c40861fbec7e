#include "store/content/large_writes.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <utility>

#include "store/content/manifest_push.h"

namespace outport::store {
namespace {

Error Rejection(const std::string& reason) {
  return Error{ErrorCode::kTooManyRequests,
               "cannot write the large manifest now: " + reason +
                   "; write manifests of more than " + std::to_string(kLargeDescriptors) +
                   " layers or children one after the other, or retry shortly"};
}

}  // namespace

LargeWrites::Turn::Turn(Turn&& other) noexcept
    : writes_(std::exchange(other.writes_, nullptr)), place_(other.place_) {}

LargeWrites::Turn::~Turn() {
  if (writes_ != nullptr) writes_->Leave(place_);
}

LargeWrites::LargeWrites(Metrics& metrics, Limits limits)
    : limits_(limits),
      places_gauge_(metrics.Gauge("outport_store_large_manifest_writes",
                                  "Writes of large manifests in progress or waiting.")),
      rejected_(metrics.Counter("outport_store_large_manifest_writes_rejected_total",
                                "Writes of large manifests rejected because too many were in "
                                "progress or waiting.")) {}

net::awaitable<Result<LargeWrites::Turn>> LargeWrites::AwaitTurn(std::string user) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.max_wait;
  Result<Turn> turn = Enter(std::move(user));
  for (bool in_time = true; turn.has_value();) {
    const uint64_t seen = moved_.Version();
    if (HasTurn(turn->place_)) co_return turn;
    if (!in_time) break;
    in_time = co_await moved_.WaitPast(seen, deadline);
  }
  rejected_.Increment();
  if (!turn.has_value()) co_return turn.error();
  co_return Rejection("other such writes have not ended in time");
}

Result<LargeWrites::Turn> LargeWrites::Enter(std::string user) {
  MutexLock lock(mutex_);
  const auto of_user = static_cast<size_t>(std::ranges::count(places_, user, &Place::user));
  if (of_user >= limits_.places_of_user) {
    return Rejection("user '" + user + "' has " + std::to_string(of_user) +
                     " such writes in progress or waiting, which is the limit");
  }
  if (places_.size() >= limits_.places) {
    return Rejection(std::to_string(places_.size()) +
                     " such writes of all users are in progress or waiting, which is the limit");
  }
  const PlacePtr place = places_.insert(places_.end(), Place{.user = std::move(user)});
  places_gauge_.Increment();
  GiveTurns();
  return Turn(*this, place);
}

void LargeWrites::Leave(PlacePtr place) {
  {
    MutexLock lock(mutex_);
    places_.erase(place);
    places_gauge_.Decrement();
    GiveTurns();
  }
  moved_.Notify();
}

bool LargeWrites::HasTurn(PlacePtr place) {
  MutexLock lock(mutex_);
  return place->has_turn;
}

bool LargeWrites::UserHasTurn(const std::string& user) const {
  return std::ranges::any_of(
      places_, [&](const Place& place) { return place.has_turn && place.user == user; });
}

void LargeWrites::GiveTurns() {
  const auto given = static_cast<size_t>(std::ranges::count(places_, true, &Place::has_turn));
  size_t free = limits_.turns - given;
  for (Place& place : places_) {
    if (free == 0) return;
    if (place.has_turn || UserHasTurn(place.user)) continue;
    place.has_turn = true;
    --free;
  }
}

}  // namespace outport::store
