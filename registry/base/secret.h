#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outport {

// Overwrites and clears `text`. The compiler cannot optimise this away.
inline void Wipe(std::string& text) {
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

// A text that contains a password. The destructor wipes it from memory, and a move leaves no copy.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : text_(text.begin(), text.end()) {}
  Secret(Secret&& other) noexcept : text_(std::exchange(other.text_, {})) {}
  Secret& operator=(Secret&& other) noexcept {
    std::swap(text_, other.text_);  // `other` wipes the old text
    return *this;
  }
  ~Secret() {
    if (!text_.empty()) ::explicit_bzero(text_.data(), text_.size());
  }

  std::string_view text() const { return {text_.data(), text_.size()}; }

 private:
  // This is not a std::string, because moving a short std::string leaves a copy in the source
  // object.
  std::vector<char> text_;
};

}  // namespace outport
