#pragma once

#include <string>
#include <string_view>

namespace outport {

// Names the test of a table's row: "a wrong password is rejected" becomes
// "AWrongPasswordIsRejected".
inline std::string TestNameOf(std::string_view what) {
  std::string name;
  bool begins = true;
  for (const char c : what) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool word = lower || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (word) name += lower && begins ? static_cast<char>(c - 'a' + 'A') : c;
    if (c != '\'') begins = !word;
  }
  return name;
}

// For INSTANTIATE_TEST_SUITE_P over rows with a member `what`.
inline constexpr auto kNameOfRow = [](const auto& info) { return TestNameOf(info.param.what); };

}  // namespace outport
