#include "registry/http/api/conditions.h"

#include <algorithm>
#include <charconv>

namespace outport::http {
namespace {

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

std::string_view Unquote(std::string_view tag) {
  if (tag.size() < 2 || !tag.starts_with('"') || !tag.ends_with('"')) return tag;
  return tag.substr(1, tag.size() - 2);
}

}  // namespace

std::string EntityTag(const Digest& digest) { return '"' + digest.ToString() + '"'; }

bool NoneMatchNames(std::string_view if_none_match, const Digest& digest) {
  const std::string wanted = digest.ToString();
  while (!if_none_match.empty()) {
    const std::string_view entry = if_none_match.substr(0, if_none_match.find(','));
    if_none_match.remove_prefix(std::min(if_none_match.size(), entry.size() + 1));
    std::string_view tag = Trim(entry);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (Unquote(tag) == wanted) return true;
  }
  return false;
}

bool RangeApplies(std::string_view if_range, const Digest& digest) {
  return if_range.empty() || Unquote(Trim(if_range)) == digest.ToString();
}

Result<uint64_t> ParseMinSequence(const RequestHead& head) {
  const std::string_view text = head.min_sequence;
  if (text.empty()) return uint64_t{0};
  uint64_t sequence = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), sequence);
  if (failure == std::errc() && end == text.data() + text.size()) return sequence;
  return Error{ErrorCode::kInvalidArgument,
               "Outport-Min-Sequence: '" + std::string(text.substr(0, 64)) +
                   "' is not a sequence; send the value of an Outport-Sequence field"};
}

void SetStaleness(Response& response, const std::optional<Staleness>& stale) {
  if (!stale.has_value()) return;
  const std::string age = std::to_string(stale->age.count());
  response.Set("Age", age);
  response.Set("Warning",
               "299 - \"the store is unreachable; this answer is " + age + " seconds old\"");
}

}  // namespace outport::http
