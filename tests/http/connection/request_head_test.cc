#include "registry/http/connection/request_head.h"

#include <gtest/gtest.h>

#include "tests/support/test_name.h"

namespace outport::http {
namespace {

constexpr std::string_view kHost = "Host: a\r\n";

struct Case {
  const char* what;
  std::string text;
  bool ok;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

std::string Get(const std::string& fields) {
  return "GET /v2/ HTTP/1.1\r\n" + std::string(kHost) + fields + "\r\n";
}
std::string Put(const std::string& fields) {
  return "PUT /v2/ HTTP/1.1\r\n" + std::string(kHost) + fields + "\r\n";
}

// Heads that a proxy and this server could frame differently are rejected.
const Case kCases[] = {
    {"a plain request", Get(""), true},
    {"a length", Put("Content-Length: 5\r\n"), true},
    {"a length of zero", Put("Content-Length: 0\r\n"), true},
    {"chunked", Put("Transfer-Encoding: chunked\r\n"), true},
    {"chunked in capitals", Put("Transfer-Encoding: CHUNKED\r\n"), true},
    {"both", Put("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), false},
    {"both, the other way", Put("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), false},
    {"two lengths", Put("Content-Length: 5\r\nContent-Length: 6\r\n"), false},
    {"one length twice", Put("Content-Length: 5\r\nContent-Length: 5\r\n"), false},
    {"a list of lengths", Put("Content-Length: 5, 5\r\n"), false},
    {"an empty length", Put("Content-Length:\r\n"), false},
    {"a negative length", Put("Content-Length: -5\r\n"), false},
    {"a signed length", Put("Content-Length: +5\r\n"), false},
    {"a hexadecimal length", Put("Content-Length: 0x5\r\n"), false},
    {"a length with junk", Put("Content-Length: 5a\r\n"), false},
    {"a length out of range", Put("Content-Length: 99999999999999999999\r\n"), false},
    {"an unknown coding", Put("Transfer-Encoding: gzip\r\n"), false},
    {"two codings", Put("Transfer-Encoding: gzip, chunked\r\n"), false},
    {"chunked twice", Put("Transfer-Encoding: chunked, chunked\r\n"), false},
    {"two coding fields", Put("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
     false},
    {"chunked, then identity", Put("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
     false},
    {"a vertical tab before the coding", Put("Transfer-Encoding: \vchunked\r\n"), false},
    {"a space before the colon", Put("Content-Length : 5\r\n"), false},
    {"a folded field", Get("X-A: b\r\n c\r\n"), false},
    {"a field folded by a tab", Get("X-A: b\r\n\tc\r\n"), false},
    {"a fold before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", false},
    {"a bare line feed", Get("X-A: b\nContent-Length: 5\r\n"), false},
    {"a bare CR", Get("X-A: b\rContent-Length: 5\r\n"), false},
    {"a NUL", Get(std::string("X-A: b\0c\r\n", 10)), false},
    {"a field without a name", Get(": b\r\n"), false},
    {"a line without a colon", Get("nothing\r\n"), false},
    {"no host", "GET / HTTP/1.1\r\n\r\n", false},
    {"two hosts", Get("Host: b\r\n"), false},
    {"no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", true},
    {"chunked in HTTP/1.0", "PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", false},
    {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", false},
    {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", false},
    {"no version", "GET /\r\nHost: a\r\n\r\n", false},
    {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", false},
    {"a relative target", "GET v2/ HTTP/1.1\r\nHost: a\r\n\r\n", false},
    {"an asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false},
    {"the absolute form", "GET https://a/v2/ HTTP/1.1\r\nHost: a\r\n\r\n", true},
    {"an unknown method", "BREW /v2/ HTTP/1.1\r\nHost: a\r\n\r\n", true},
    {"an expectation", Put("Expect: 100-continue\r\nContent-Length: 5\r\n"), true},
    {"another expectation", Put("Expect: money\r\nContent-Length: 5\r\n"), false},
    {"two users", Get("Authorization: Basic YQ==\r\nAuthorization: Basic Yg==\r\n"), false},
    {"two ranges", Get("Range: bytes=0-1\r\nRange: bytes=2-3\r\n"), false},
    {"a TLS hello", "\x16\x03\x01\x02\r\n\r\n", false},
    {"nothing but the end", "\r\n\r\n", false},
};

class RequestHeadTest : public testing::TestWithParam<Case> {};

TEST_P(RequestHeadTest, IsAcceptedOnlyIfItsFramingIsUnambiguous) {
  const Case& c = GetParam();
  const auto head = ParseRequestHead(c.text);
  EXPECT_EQ(head.has_value(), c.ok) << (head.has_value() ? "" : head.error().message);
  if (!head.has_value()) EXPECT_EQ(head.error().code, ErrorCode::kMalformedRequest);
}
INSTANTIATE_TEST_SUITE_P(Heads, RequestHeadTest, testing::ValuesIn(kCases), kNameOfRow);

TEST(RequestHead, HasTheFieldsOfTheRequest) {
  const auto head = ParseRequestHead(
      "PATCH /v2/a/blobs/uploads/1?x=%20 HTTP/1.1\r\nhost: a\r\nauthorization: Basic YQ==\r\n"
      "CONTENT-TYPE:  application/json; a=b \r\nContent-Range: 0-4\r\nContent-Length: 5\r\n"
      "Range: bytes=1-\r\nIf-Range: \"x\"\r\nIf-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n"
      "Expect: 100-Continue\r\n\r\n");
  ASSERT_TRUE(head.has_value()) << head.error().message;
  EXPECT_EQ(head->method, Method::kPatch);
  EXPECT_EQ(head->target, "/v2/a/blobs/uploads/1?x=%20");
  EXPECT_EQ(head->authorization.text(), "Basic YQ==");
  EXPECT_EQ(head->content_type, "application/json; a=b");
  EXPECT_EQ(head->content_range, "0-4");
  EXPECT_EQ(head->content_length, 5u);
  EXPECT_EQ(head->range, "bytes=1-");
  EXPECT_EQ(head->if_range, "\"x\"");
  EXPECT_EQ(head->if_none_match, "\"a\", \"b\"");
  EXPECT_TRUE(head->expects_continue);
  EXPECT_TRUE(head->keep_alive);
  EXPECT_FALSE(head->chunked);
}

TEST(RequestHead, KnowsWhenTheConnectionEnds) {
  EXPECT_TRUE(ParseRequestHead(Get(""))->keep_alive);
  EXPECT_FALSE(ParseRequestHead(Get("Connection: close\r\n"))->keep_alive);
  EXPECT_FALSE(ParseRequestHead("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  EXPECT_TRUE(ParseRequestHead("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(RequestHead, ExpectsNothingWithoutABody) {
  EXPECT_FALSE(ParseRequestHead(Get("Expect: 100-continue\r\n"))->expects_continue);
}

TEST(RequestHead, EndsAtItsEmptyLine) {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore";
  EXPECT_EQ(FindHeadEnd(text, 0), text.size() - 4);
  for (size_t searched = 0; searched < text.size() - 4; ++searched) {
    EXPECT_EQ(FindHeadEnd(text, searched), text.size() - 4) << searched;
  }
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\nHost: a\r\n\r", 0), std::string::npos);
}

}  // namespace
}  // namespace outport::http
