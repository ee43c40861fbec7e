#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outport {

// Wipes it, whatever the compiler thinks of that, and leaves it empty.
inline void Wipe(std::string& text) {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

// A text that is wiped from memory when nobody needs it: a password, a field that bears one. Moving
// leaves nothing behind.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text.begin(), text.end()) {}
  Secret(Secret&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(text_, other.text_);  // what was here is wiped with `other`
    return *this;
  }
  ~Secret() {
    if (!text_.empty()) ::explicit_bzero(text_.data(), text_.size());
  }

  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  std::vector<char>
      text_;  // no string: a short one stands in the object, and stays there when moved
};

}  // namespace outport
