#include "registry/http/connection/url.h"

#include "tests/fuzz/fuzz.h"

using namespace outport;
using namespace outport::http;
using fuzzing::Require;

// Paths and queries: decoding never changes which path is meant, and encoded text decodes to
// itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  const auto path = DecodePath("/" + std::string(text));
  if (path.has_value()) {
    for (const char c : {'\0', '\n', '\r'}) {
      Require(!path->contains(c), "a path has no control characters");
    }
    for (const char* dots : {"/../", "/./"}) {
      Require(!(*path + "/").contains(dots), "a path does not climb");
    }
  }
  const auto first = QueryParameter(text, "digest");
  const auto all = QueryParameters(text, "digest");
  if (all.has_value()) {
    Require(first.has_value(), "the first of good values is good");
    Require(first->has_value() == !all->empty(), "the first value is one of all");
    if (!all->empty()) Require(**first == all->front(), "and is the first");
  }
  bool control = false;
  for (const char c : text) control |= static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  const auto back = QueryParameter("a=1&last=" + EncodeQueryValue(text) + "&b", "last");
  Require(back.has_value() == !control, "what is encoded can be read");
  if (back.has_value()) Require(back->value() == text, "and is the same");
  return 0;
}
