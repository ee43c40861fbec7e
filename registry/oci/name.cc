#include "registry/oci/name.h"

#include <algorithm>

namespace outport {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxTagBytes = 128;

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Returns the length of the separator at the start of `text`, or 0 if `text` begins with none. A
// separator is '.', '_', '__' or any number of '-'.
size_t SeparatorSize(std::string_view text) {
  if (text.starts_with("__")) return 2;
  if (text.starts_with('.') || text.starts_with('_')) return 1;
  return std::min(text.find_first_not_of('-'), text.size());
}

// Whether `text` matches [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*.
bool IsComponent(std::string_view text) {
  for (;;) {
    const auto end = std::ranges::find_if_not(text, IsAlphanumeric);
    if (end == text.begin()) return false;
    text.remove_prefix(static_cast<size_t>(end - text.begin()));
    if (text.empty()) return true;
    const size_t separator = SeparatorSize(text);
    if (separator == 0) return false;
    text.remove_prefix(separator);
  }
}

bool IsRepositoryName(std::string_view text) {
  if (text.size() > kMaxNameBytes) return false;
  for (;;) {
    const size_t slash = text.find('/');
    if (!IsComponent(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool IsTag(std::string_view text) {
  const auto is_word = [](char c) {
    return IsAlphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= kMaxTagBytes && is_word(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

}  // namespace

Result<RepositoryName> RepositoryName::Parse(std::string_view text) {
  if (IsRepositoryName(text)) return RepositoryName(std::string(text));
  return Error{ErrorCode::kNameInvalid,
               "the repository name \"" + std::string(text.substr(0, kMaxNameBytes + 1)) +
                   "\" is not valid; use at most 255 bytes, and between '/' only lowercase letters "
                   "and digits, which '.', '_', '__' or '-' may separate"};
}

Result<Tag> Tag::Parse(std::string_view text) {
  if (IsTag(text)) return Tag(std::string(text));
  return Error{ErrorCode::kTagInvalid,
               "the tag \"" + std::string(text.substr(0, kMaxTagBytes + 1)) +
                   "\" is not valid; use at most 128 letters, digits, '_', '.' and '-', and do not "
                   "begin with '.' or '-'"};
}

Result<Reference> ParseReference(std::string_view text) {
  if (text.contains(':')) {
    TRY(Digest digest, Digest::Parse(text));
    return Reference(std::move(digest));
  }
  TRY(Tag tag, Tag::Parse(text));
  return Reference(std::move(tag));
}

std::string ToString(const Reference& reference) {
  return std::visit([](const auto& value) { return value.ToString(); }, reference);
}

}  // namespace outport
