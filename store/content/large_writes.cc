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
  const auto of_user = static_cast<size_t>(std::ranges::count(places_, write.user, &Place::user));
  if (of_user >= limits_.places_of_user) {
    return Rejection("user '" + write.user + "' has " + std::to_string(of_user) +
                     " such writes in progress or waiting, which is the limit");
  }
  if (places_.size() >= limits_.places) {
    return Rejection(std::to_string(places_.size()) +
                     " such writes of all users are in progress or waiting, which is the limit");
  }
  const PlacePtr place =
      places_.insert(places_.end(), Place{.user = write.user, .held_bytes = write.held_bytes});
  GiveTurns();
  if (!place->has_turn && HoldTooMuch(write.user)) {
    places_.erase(place);
    return Rejection("the waiting writes of user '" + write.user +
                     "' or of all users would keep too many bytes in memory");
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

bool LargeWrites::UserHasTurn(const std::string& user) const {
  return std::ranges::any_of(
      places_, [&](const Place& place) { return place.has_turn && place.user == user; });
}

bool LargeWrites::HoldTooMuch(const std::string& user) const {
  uint64_t of_user = 0;
  uint64_t of_all = 0;
  for (const Place& place : places_) {
    if (place.has_turn) continue;
    of_all += place.held_bytes;
    if (place.user == user) of_user += place.held_bytes;
  }
  return of_user > limits_.waiting_bytes_of_user || of_all > limits_.waiting_bytes;
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
    if (place.has_turn || UserHasTurn(place.user)) continue;
    place.has_turn = true;
    --free;
  }
}

}  // namespace outport::store
