#include "registry/http/api/byte_budget.h"

namespace outport::http {
namespace {

constexpr uint64_t kSmallBytes = 256 << 10;

}  // namespace

ByteBudget::ByteBudget(uint64_t limit_bytes, Metrics& metrics, const std::string& name,
                       const std::string& what)
    : limit_bytes_(limit_bytes),
      reserved_gauge_(metrics.Gauge(name + "_bytes", "Bytes in memory of " + what + ".")),
      rejections_(metrics.Counter(
          name + "_rejections_total",
          "Requests rejected because the memory limit was reached by " + what + ".")) {}

bool ByteBudget::Reserve(uint64_t bytes, uint64_t most_bytes) {
  uint64_t reserved = reserved_.load();
  do {
    if (reserved > most_bytes || bytes > most_bytes - reserved) return false;
  } while (!reserved_.compare_exchange_weak(reserved, reserved + bytes));
  reserved_gauge_.Increment(static_cast<double>(bytes));
  return true;
}

void ByteBudget::Release(uint64_t bytes) {
  reserved_ -= bytes;
  reserved_gauge_.Decrement(static_cast<double>(bytes));
}

bool ByteBudget::Share::Resize(uint64_t bytes) {
  const uint64_t limit = budget_.limit_bytes_;
  return Resize(bytes, bytes > kSmallBytes ? limit - limit / 4 : limit);
}

bool ByteBudget::Share::Resize(uint64_t bytes, uint64_t most_bytes) {
  if (bytes > bytes_) {
    if (!budget_.Reserve(bytes - bytes_, most_bytes)) return false;
  } else {
    budget_.Release(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

}  // namespace outport::http
