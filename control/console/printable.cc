#include "control/console/printable.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "registry/base/utf8.h"

namespace outport::control {
namespace {

constexpr unsigned kDelete = 0x7f;

// Returns the control character that the UTF-8 sequence is, or 0. U+0080 to U+009F are control
// characters, too: U+009B begins a control sequence on some terminals.
unsigned ControlOf(std::string_view sequence) {
  const auto first = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1 && (first < 0x20 || first == kDelete)) return first;
  if (sequence.size() != 2 || first != 0xc2) return 0;
  const auto second = static_cast<unsigned char>(sequence[1]);
  return second < 0xa0 ? second : 0;
}

std::string Escape(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const std::string_view sequence = text.substr(0, std::max<size_t>(length, 1));
    text.remove_prefix(sequence.size());
    const bool is_kept = kept.contains(sequence[0]);
    const unsigned control = is_kept || length == 0 ? 0 : ControlOf(sequence);
    const bool is_nul = sequence[0] == '\0';
    if (length != 0 && control == 0 && !is_nul) {
      out += sequence;
      continue;
    }
    std::array<char, 8> escaped{};
    std::snprintf(escaped.data(), escaped.size(), "\\u%04x", length == 0 ? 0xfffdU : control);
    out += escaped.data();
  }
  return out;
}

}  // namespace

std::string Printable(std::string_view text) { return Escape(text, ""); }

std::string PrintableLines(std::string_view text) { return Escape(text, "\n\t"); }

}  // namespace outport::control
