#pragma once

namespace outport::testing_support {

// Whether this is a build under the address or the thread sanitizer. A sanitizer keeps memory that
// was freed and counts it to the process, and needs file descriptors of its own.
inline constexpr bool kSanitized =
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif

}  // namespace outport::testing_support
