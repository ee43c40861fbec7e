#include "registry/http/api/byte_budget.h"

namespace outport::http {
namespace {

constexpr uint64_t kSmallBytes = 256 << 10;

}  // namespace

ByteBudget::ByteBudget(uint64_t limit_bytes, Metrics& metrics, const std::string& name,
                       const std::string& what)
    : limit_bytes_(limit_bytes),
      held_bytes_(metrics.Gauge(name + "_bytes", "Bytes in memory of " + what + ".")),
      refusals_(metrics.Counter(
          name + "_rejections_total",
          "Requests rejected because too many bytes were in memory of " + what + ".")) {}

bool ByteBudget::Take(uint64_t bytes, uint64_t most_bytes) {
  uint64_t held = held_.load();
  do {
    if (held > most_bytes || bytes > most_bytes - held) return false;
  } while (!held_.compare_exchange_weak(held, held + bytes));
  held_bytes_.Increment(static_cast<double>(bytes));
  return true;
}

void ByteBudget::Release(uint64_t bytes) {
  held_ -= bytes;
  held_bytes_.Decrement(static_cast<double>(bytes));
}

bool ByteBudget::Share::Resize(uint64_t bytes) {
  const uint64_t limit = budget_.limit_bytes_;
  return Resize(bytes, bytes > kSmallBytes ? limit - limit / 4 : limit);
}

bool ByteBudget::Share::Resize(uint64_t bytes, uint64_t most_bytes) {
  if (bytes > bytes_) {
    if (!budget_.Take(bytes - bytes_, most_bytes)) return false;
  } else {
    budget_.Release(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

}  // namespace outport::http
