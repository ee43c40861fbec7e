#include <regex>
#include <string>

#include "registry/oci/name.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// The parsers accept exactly the names and tags that match the specification's regular expressions.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::regex kName(
      R"([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)",
      std::regex::ECMAScript | std::regex::optimize);
  static const std::regex kTag(R"([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})");
  const std::string text(fuzzing::AsText(data, size));
  const auto name = RepositoryName::Parse(text);
  const auto tag = Tag::Parse(text);
  if (text.size() <= 300) {
    Require(name.has_value() == (text.size() <= 255 && std::regex_match(text, kName)),
            "a name is what the specification says");
    Require(tag.has_value() == std::regex_match(text, kTag),
            "a tag is what the specification says");
  }
  if (name.has_value()) Require(name->ToString() == text, "a name is written as it was read");
  if (tag.has_value()) Require(tag->ToString() == text, "a tag is written as it was read");
  const auto reference = ParseReference(text);
  if (reference.has_value()) {
    Require(ToString(*reference) == text, "a reference is written as it was read");
    Require(std::holds_alternative<Digest>(*reference) == text.contains(':'),
            "a reference with a colon is a digest");
  }
  return 0;
}
