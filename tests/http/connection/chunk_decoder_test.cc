#include "registry/http/connection/chunk_decoder.h"

#include <gtest/gtest.h>

#include "tests/support/test_name.h"

namespace outport::http {
namespace {

struct Decoded {
  bool ok = true;
  bool finished = false;
  std::string content;
  std::string rest;  // after the body's end
};

// Decodes `text` in steps of `step` bytes.
Decoded Decode(std::string text, size_t step) {
  Decoded decoded;
  ChunkDecoder decoder;
  while (!text.empty()) {
    std::string piece = text.substr(0, step);
    text.erase(0, piece.size());
    const auto taken = decoder.Decode(std::as_writable_bytes(std::span(piece)));
    if (!taken.has_value()) {
      EXPECT_EQ(taken.error().code, ErrorCode::kMalformedRequest);
      decoded.ok = false;
      return decoded;
    }
    decoded.content += piece.substr(0, taken->produced);
    if (taken->consumed < piece.size()) {
      decoded.rest = piece.substr(taken->consumed) + text;
      break;
    }
  }
  decoded.finished = decoder.finished();
  return decoded;
}

struct Case {
  const char* what;
  std::string text;
  bool ok;
  bool finished = false;
  const char* content = "";
  const char* rest = "";
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

const Case kCases[] = {
    {"an empty body", "0\r\n\r\n", true, true, ""},
    {"one chunk", "3\r\nabc\r\n0\r\n\r\n", true, true, "abc"},
    {"several chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", true, true, "abcde"},
    {"upper and lower hex", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", true, true,
     "01234567890123456789"},
    {"leading zeros", "0003\r\nabc\r\n000\r\n\r\n", true, true, "abc"},
    {"line ends inside the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", true, true, "\r\n\r\n"},
    {"an extension", "3;name=value\r\nabc\r\n0;last\r\n\r\n", true, true, "abc"},
    {"space before an extension", "3 ;a\r\nabc\r\n0\r\n\r\n", true, true, "abc"},
    {"a quoted extension", "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n", true, true, "abc"},
    {"trailers", "1\r\na\r\n0\r\nDigest: x\r\nOther: y\r\n\r\n", true, true, "a"},
    {"what follows is left", "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1", true, true, "a",
     "GET / HTTP/1.1"},
    {"not all of it is here", "5\r\nabc", true, false, "abc"},
    {"the last line is not here", "0\r\n", true, false, ""},
    {"no size", "\r\nabc", false},
    {"not hexadecimal", "g\r\nabc", false},
    {"negative", "-1\r\n", false},
    {"signed", "+1\r\na\r\n", false},
    {"with 0x", "0x3\r\nabc\r\n", false},
    {"a bare line feed behind the size", "3\nabc\r\n", false},
    {"a bare CR behind the size", "3\rabc", false},
    {"longer than its size", "3\r\nabcd\r\n0\r\n\r\n", false},
    {"shorter than its size", "4\r\nabc\r\n0\r\n\r\n", false},
    {"a bare line feed behind the data", "3\r\nabc\n0\r\n\r\n", false},
    {"out of range", "fffffffffffffffff\r\n", false},
    {"17 digits", "10000000000000000\r\n", false},
    {"a line feed in an extension", "3;a\nb\r\nabc\r\n", false},
    {"a NUL in an extension", std::string("3;a\0b\r\n", 7), false},
    {"a bare line feed in a trailer", "0\r\nA: b\n\r\n", false},
    {"a folded trailer", "0\r\nA: b\r\n c\r\n\r\n", false},
    {"a trailer without a name", "0\r\n: b\r\n\r\n", false},
    {"endless extensions", "3;" + std::string(20000, 'a'), false},
    {"endless trailers", "0\r\nA: " + std::string(10000, 'a'), false},
};

class ChunkDecoderTest : public testing::TestWithParam<Case> {};

TEST_P(ChunkDecoderTest, RemovesTheFraming) {
  const Case& c = GetParam();
  for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, c.text.size()}) {
    SCOPED_TRACE("in steps of " + std::to_string(step));
    const Decoded decoded = Decode(c.text, step);
    EXPECT_EQ(decoded.ok, c.ok);
    if (!decoded.ok) continue;
    EXPECT_EQ(decoded.finished, c.finished);
    EXPECT_EQ(decoded.content, c.content);
    EXPECT_EQ(decoded.rest, c.rest);
  }
}
INSTANTIATE_TEST_SUITE_P(Bodies, ChunkDecoderTest, testing::ValuesIn(kCases), kNameOfRow);

TEST(ChunkDecoder, ExtensionsOfManyChunksAreLimitedTogether) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "1;" + std::string(1000, 'x') + "\r\na\r\n";
  EXPECT_FALSE(Decode(text, text.size()).ok);
}

}  // namespace
}  // namespace outport::http
