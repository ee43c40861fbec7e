#include "store/gc/plan_name.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "registry/base/bytes.h"
#include "registry/oci/digest.h"
#include "registry/records/keys.h"

namespace outport::store {
namespace {

constexpr std::string_view kRetentionPrefix = "retention-";
constexpr size_t kTimeDigits = 16;
constexpr size_t kHashDigits = 32;
constexpr size_t kMaxNameBytes = 8192;

std::optional<std::string> FromHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    unsigned byte = 0;
    const char* const end = hex.data() + i + 2;
    const auto [parsed, error] = std::from_chars(hex.data() + i, end, byte, 16);
    if (error != std::errc() || parsed != end) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

// Removes the text before the next '-' from `rest`, and returns it.
std::string_view NextPart(std::string_view& rest) {
  const size_t end = std::min(rest.find('-'), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

std::string PlanName::ToString() const {
  std::string name(kind == PlanKind::kRetention ? kRetentionPrefix : "");
  name += keys::TimeText(as_of_ms) + '-' + std::to_string(items) + '-' + hash;
  const std::string bytes = options.SerializeAsString();
  if (!bytes.empty()) name += '-' + ToHex(AsBytes(bytes));
  return name;
}

Result<PlanName> PlanName::Parse(const std::string& text) {
  const Error invalid{
      ErrorCode::kInvalidArgument,
      "this is not the id of a plan; 'outportctl gc plan' and 'outportctl retention "
      "plan' print ids"};
  if (text.size() > kMaxNameBytes) return invalid;
  std::string_view rest = text;
  PlanName name;
  if (rest.starts_with(kRetentionPrefix)) {
    name.kind = PlanKind::kRetention;
    rest.remove_prefix(kRetentionPrefix.size());
  }
  const std::string_view time = NextPart(rest);
  const std::optional<int64_t> as_of_ms = keys::ParseTimeText(time);
  if (time.size() != kTimeDigits || !as_of_ms.has_value()) return invalid;
  name.as_of_ms = *as_of_ms;
  const std::string_view items = NextPart(rest);
  const char* const end = items.data() + items.size();
  const auto [parsed, error] = std::from_chars(items.data(), end, name.items);
  if (items.empty() || error != std::errc() || parsed != end) return invalid;
  name.hash = NextPart(rest);
  const std::optional<std::string> options = FromHex(rest);
  if (name.hash.size() != kHashDigits || !options.has_value()) return invalid;
  if (!name.options.ParseFromString(*options)) return invalid;
  return name;
}

Result<void> PlanName::RequireKind(PlanKind wanted) const {
  if (kind == wanted) return {};
  return Error{ErrorCode::kInvalidArgument,
               kind == PlanKind::kRetention
                   ? "this is a plan of retention; 'outportctl retention run --plan' runs it"
                   : "this is a plan of garbage collection; 'outportctl gc run --plan' runs it"};
}

std::string HashOfItems(std::vector<std::string> items) {
  std::ranges::sort(items);
  Hasher hasher(DigestAlgorithm::kSha256);
  for (const std::string& item : items) {
    hasher.Update(AsBytes(item));
    hasher.Update(AsBytes("\n"));
  }
  return hasher.Current().hex().substr(0, kHashDigits);
}

}  // namespace outport::store
