#include "store/content/large_writes.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
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

net::awaitable<Result<LargeWrites::Turn>> LargeWrites::AwaitTurn(Write write) {
  using std::chrono::steady_clock;
  const steady_clock::time_point deadline = steady_clock::now() + limits_.max_wait;
  Result<Turn> turn = Enter(write);
  while (turn.has_value()) {
    const uint64_t seen = moved_.Version();
    CO_TRY_VOID(write.recheck());
    if (HasTurn(turn->place_)) co_return turn;
    const auto cancellation = co_await net::this_coro::cancellation_state;
    const steady_clock::time_point now = steady_clock::now();
    if (now >= deadline || cancellation.cancelled() != net::cancellation_type::none) break;
    co_await moved_.WaitPast(seen, std::min(deadline, now + limits_.recheck_interval));
  }
  rejected_.Increment();
  if (!turn.has_value()) co_return turn.error();
  co_return Rejection("other such writes have not ended in time");
}

Result<LargeWrites::Turn> LargeWrites::Enter(const Write& write) {
  MutexLock lock(mutex_);
  const auto of_holder =
      static_cast<size_t>(std::ranges::count(places_, write.holder, &Place::holder));
  if (of_holder >= limits_.places_of_holder) {
    return Rejection(ToString(write.holder) + " has " + std::to_string(of_holder) +
                     " such writes in progress or waiting, which is the limit");
  }
  if (places_.size() >= limits_.places) {
    return Rejection(std::to_string(places_.size()) +
                     " such writes of all holders are in progress or waiting, which is the limit");
  }
  const PlacePtr place =
      places_.insert(places_.end(), Place{.holder = write.holder, .held_bytes = write.held_bytes});
  GiveTurns();
  if (!place->has_turn && HoldTooMuch(write.holder)) {
    places_.erase(place);
    return Rejection("the waiting writes of " + ToString(write.holder) +
                     " or of all holders would keep too many bytes in memory");
  }
  places_gauge_.Increment();
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

bool LargeWrites::HolderHasTurn(const Holder& holder) const {
  return std::ranges::any_of(
      places_, [&](const Place& place) { return place.has_turn && place.holder == holder; });
}

bool LargeWrites::HoldTooMuch(const Holder& holder) const {
  uint64_t of_holder = 0;
  uint64_t of_all = 0;
  for (const Place& place : places_) {
    if (place.has_turn) continue;
    of_all += place.held_bytes;
    if (place.holder == holder) of_holder += place.held_bytes;
  }
  return of_holder > limits_.waiting_bytes_of_holder || of_all > limits_.waiting_bytes;
}

size_t LargeWrites::Turns() const {
  MutexLock lock(mutex_);
  return static_cast<size_t>(std::ranges::count(places_, true, &Place::has_turn));
}

void LargeWrites::GiveTurns() {
  const auto given = static_cast<size_t>(std::ranges::count(places_, true, &Place::has_turn));
  size_t free = limits_.turns - given;
  for (Place& place : places_) {
    if (free == 0) return;
    if (place.has_turn || HolderHasTurn(place.holder)) continue;
    place.has_turn = true;
    --free;
  }
}

}  // namespace outport::store
