#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "registry/base/result.h"

namespace re2 {
class RE2;
}

namespace outport::store {

// Where policies come from. An earlier release may have stored policies that a file may no longer
// have. They stay in force until an administrator applies others.
enum class PolicySource { kFile, kStore };

using TagPattern = std::shared_ptr<const re2::RE2>;  // all entries with this pattern share it

// Compiles the patterns of tags of one file, equal ones once. Each pattern and all patterns
// together have a bounded program (RE2::ProgramSize()), so that nobody can write a small file that
// occupies the store. A pattern matches in linear time. For one thread.
class TagPatterns {
 public:
  explicit TagPatterns(PolicySource source);
  ~TagPatterns();

  // kInvalidArgument says what is wrong with the pattern, or that the programs are too large
  // together. Then full() holds, and the caller compiles no further patterns. Does not block.
  Result<TagPattern> Compile(const std::string& pattern);
  bool full() const { return full_; }
  PolicySource source() const { return source_; }

 private:
  Result<TagPattern> CompileNew(const std::string& pattern);

  const PolicySource source_;
  int64_t room_;  // for further programs
  bool full_ = false;
  std::map<std::string, TagPattern> compiled_;
};

}  // namespace outport::store
