#pragma once

#include <algorithm>
#include <cstddef>

#include "outport/v1/admin.pb.h"

namespace outport::store {

inline constexpr size_t kDefaultPage = 100;
inline constexpr size_t kMaxPageOfRows = 1000;

// Returns how many rows the requested page may have.
inline size_t LimitOf(const v1::PageOf& page) {
  return page.limit() == 0 ? kDefaultPage : std::min<size_t>(page.limit(), kMaxPageOfRows);
}

}  // namespace outport::store
