#pragma once

namespace outport::testing_support {

// Whether this is a build with the address or the thread sanitizer. A sanitizer keeps freed memory
// in the process, and uses file descriptors of its own.
inline constexpr bool kSanitized =
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif

}  // namespace outport::testing_support
