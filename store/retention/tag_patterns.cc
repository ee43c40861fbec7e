#include "store/retention/tag_patterns.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

namespace outport::store {
namespace {

constexpr size_t kMaxPatternText = 1024;

// An instruction takes RE2 about a microsecond. The patterns that the store has may be larger,
// because earlier releases accepted them.
struct Limits {
  int64_t memory_bytes = 0;  // of one pattern
  int64_t program = 0;       // the instructions of all patterns
};
constexpr Limits kFileLimits{.memory_bytes = 64 * 1024, .program = 100'000};
constexpr Limits kStoreLimits{.memory_bytes = 1024 * 1024, .program = 400'000};

// The work of RE2 until it finds that a pattern is too large, in instructions.
constexpr int64_t kWorkOfTooLarge = 10'000;

const Limits& LimitsOf(PolicySource source) {
  return source == PolicySource::kFile ? kFileLimits : kStoreLimits;
}

}  // namespace

TagPatterns::TagPatterns(PolicySource source) : source_(source), room_(LimitsOf(source).program) {}
TagPatterns::~TagPatterns() = default;

Result<TagPattern> TagPatterns::Compile(const std::string& pattern) {
  if (const auto found = compiled_.find(pattern); found != compiled_.end()) return found->second;
  if (pattern.empty() || pattern.size() > kMaxPatternText) {
    return Error{ErrorCode::kInvalidArgument, "the pattern is empty or longer than 1024 bytes"};
  }
  if (!full_) {
    TRY(TagPattern compiled, CompileNew(pattern));
    full_ = room_ < 0;
    if (!full_) {
      compiled_.emplace(pattern, compiled);
      return compiled;
    }
  }
  return Error{ErrorCode::kInvalidArgument,
               "with this pattern, the patterns of the file are too large together; write fewer "
               "or simpler ones: each repetition such as {100}, and each class such as \\pL or "
               "[^a], repeats its instructions"};
}

Result<TagPattern> TagPatterns::CompileNew(const std::string& pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(LimitsOf(source_).memory_bytes);
  auto compiled = std::make_shared<const re2::RE2>(pattern, options);
  if (compiled->ok()) {
    room_ -= std::max<int64_t>(compiled->ProgramSize(), static_cast<int64_t>(pattern.size()));
    return TagPattern(std::move(compiled));
  }
  const bool too_large = compiled->error_code() == re2::RE2::ErrorPatternTooLarge;
  room_ -= too_large ? kWorkOfTooLarge : static_cast<int64_t>(pattern.size());
  full_ = room_ < 0;
  if (too_large) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + pattern +
                     "' is too large for a pattern; write a simpler one, with smaller or fewer "
                     "repetitions, for example .* for [^a]{700}"};
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + pattern + "' is not a regular expression (RE2): " + compiled->error()};
}

}  // namespace outport::store
