#include "registry/records/rows.h"

#include <algorithm>

namespace outport {

std::string Printable(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), keys::kSeparator, ' ');
  return text;
}

}  // namespace outport
