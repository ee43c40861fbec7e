#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport::store {

// The hours of each day in which background work runs, in the local time of the machine. A window
// may pass midnight. The default window is open at all times. A value type.
class DailyWindow {
 public:
  DailyWindow() = default;

  // Parses "HH:MM-HH:MM". The first minute belongs to the window, the last does not; "24:00" ends
  // a window at midnight. An empty text means "always". kInvalidArgument names the fault.
  static Result<DailyWindow> Parse(std::string_view text);

  // Returns whether the window is open at this time. Safe for several threads.
  bool Contains(std::chrono::system_clock::time_point wall) const;
  // As Contains(), for minutes since local midnight, from 0 to 1439.
  bool ContainsMinute(int minute) const;

  // Returns the text that Parse() accepts. Empty: always.
  std::string ToString() const;

  bool operator==(const DailyWindow&) const = default;

 private:
  DailyWindow(int from, int until) : from_(from), until_(until) {}

  // Minutes since midnight. Equal: always.
  int from_ = 0;
  int until_ = 0;
};

}  // namespace outport::store
