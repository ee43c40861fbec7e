#include "tests/http/fixture.h"
#include "tests/support/test_name.h"

namespace outport::http {
namespace {

const std::string kPing = TestRequest{}.Text();

std::string Push(const std::string& fields, const std::string& body) {
  const std::string digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes("abc")).ToString();
  const TestRequest request{
      .method = "POST", .target = "/v2/a/blobs/uploads/?digest=" + digest, .fields = fields};
  return request.Text() + body;
}

std::string PushChunked(const std::string& body) {
  return Push("Transfer-Encoding: chunked\r\n", body);
}

// A push to an invalid repository, which is rejected before its body is read.
std::string Rejected(const std::string& fields, const std::string& body) {
  return TestRequest{.method = "PUT", .target = "/v2/BAD/manifests/v1", .fields = fields}.Text() +
         body;
}

std::string Get(const std::string& target) { return TestRequest{.target = target}.Text(); }

std::string EmptyLines(size_t count) {
  std::string lines;
  for (size_t i = 0; i < count; ++i) lines += "\r\n";
  return lines;
}

struct Case {
  const char* what;
  std::string text;
  std::vector<int> statuses;
  bool ends = false;  // the connection ends after the last response
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.what; }

const Case kCases[] = {
    // Several requests on one connection.
    {"three at once", kPing + kPing + kPing, {200, 200, 200}},
    {"after a body that is rejected",
     Rejected("Content-Length: 5\r\n", "hello") + kPing,
     {400, 200}},
    {"after a chunked body that is rejected",
     Rejected("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n") + kPing,
     {400, 200}},
    {"after a body without credentials",
     TestRequest{.method = "PUT", .target = "/v2/a/manifests/v1", .user = "", .body = "hello"}
             .Text() +
         kPing,
     {401, 200}},
    {"behind a body for the wrong method",
     TestRequest{.method = "PATCH", .target = "/v2/_catalog", .body = "hello"}.Text() + kPing,
     {405, 200}},
    {"behind a body of an unknown method",
     TestRequest{.method = "BREW", .target = "/v2/", .body = "hello"}.Text() + kPing,
     {405, 200}},
    {"behind a body that GET should not have",
     TestRequest{.body = "hello"}.Text() + kPing,
     {200, 200}},
    {"behind empty lines", "\r\n\r\n" + kPing + "\r\n" + kPing, {200, 200}},
    {"behind the last one",
     TestRequest{.fields = "Connection: close\r\n"}.Text() + kPing,
     {200},
     true},
    // Bodies that are not read to their end.
    {"a large body that is rejected", Rejected("Content-Length: 70000\r\n", ""), {400}, true},
    {"a chunked body that is rejected before it ends",
     Rejected("Transfer-Encoding: chunked\r\n", "5\r\nhel"),
     {400},
     true},
    {"a rejected body that is not valid",
     Rejected("Transfer-Encoding: chunked\r\n", "zz\r\n" + kPing),
     {400},
     true},
    // Chunks.
    {"chunks", PushChunked("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n") + kPing, {201, 200}},
    {"chunk extensions", PushChunked("3;a=\"b\";c\r\nabc\r\n0;d\r\n\r\n") + kPing, {201, 200}},
    {"trailers", PushChunked("3\r\nabc\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n") + kPing, {201, 200}},
    {"a chunk longer than it says", PushChunked("2\r\nabc\r\n0\r\n\r\n" + kPing), {400}, true},
    {"a chunk without a size", PushChunked("\r\nabc\r\n0\r\n\r\n" + kPing), {400}, true},
    {"a negative chunk", PushChunked("-3\r\nabc\r\n0\r\n\r\n" + kPing), {400}, true},
    {"a chunk of 0x3", PushChunked("0x3\r\nabc\r\n0\r\n\r\n" + kPing), {400}, true},
    {"a chunk out of range", PushChunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), {400}, true},
    {"a chunk that ends in a bare line feed",
     PushChunked("3\nabc\r\n0\r\n\r\n" + kPing),
     {400},
     true},
    {"a folded trailer", PushChunked("3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n" + kPing), {400}, true},
    {"too many extensions",
     PushChunked("3;" + std::string(20'000, 'x') + "\r\nabc\r\n"),
     {400},
     true},
    // Headers that a proxy and this server could frame differently.
    {"a length and chunks",
     Push("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n" + kPing),
     {400},
     true},
    {"two lengths", Push("Content-Length: 3\r\nContent-Length: 4\r\n", "abc" + kPing), {400}, true},
    {"a length with a sign", Push("Content-Length: +3\r\n", "abc" + kPing), {400}, true},
    {"another transfer coding",
     Push("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + kPing),
     {400},
     true},
    {"a folded field", TestRequest{.fields = "X-A: b\r\n c\r\n"}.Text() + kPing, {400}, true},
    {"a space before a colon", TestRequest{.fields = "X-A : b\r\n"}.Text() + kPing, {400}, true},
    {"no host", "GET /v2/ HTTP/1.1\r\n\r\n" + kPing, {400}, true},
    // Headers that cannot become valid are answered before their end.
    {"bare line feeds", "GET /v2/ HTTP/1.1\nHost: a\n\n" + kPing, {400}, true},
    {"a bare line feed, and no more", "GET /v2/ HTTP/1.1\n", {400}, true},
    {"a bare line feed inside", TestRequest{.fields = "X-A: b\n"}.Text() + kPing, {400}, true},
    {"empty lines without end", EmptyLines(100), {400}, true},
    {"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}, true},
    // Targets.
    {"the absolute form", Get("https://localhost/v2/") + kPing, {200, 200}},
    {"the absolute form in capitals", Get("HTTPS://LOCALHOST:5000/v2/") + kPing, {200, 200}},
    {"the absolute form of nothing", Get("https://localhost") + kPing, {404, 200}},
    {"the absolute form of a query", Get("https://localhost?x=/v2/") + kPing, {404, 200}},
    {"the absolute form of no host", Get("https:///v2/") + kPing, {400}, true},
    {"the form of a proxy",
     TestRequest{.method = "CONNECT", .target = "a:443"}.Text(),
     {400},
     true},
    // Limits.
    {"a long header",
     TestRequest{.fields = "X-A: " + std::string(30'000, 'x') + "\r\n"}.Text(),
     {200}},
    {"a header too long",
     TestRequest{.fields = "X-A: " + std::string(40'000, 'x') + "\r\n"}.Text() + kPing,
     {431},
     true},
    {"a header that does not end",
     "GET /v2/ HTTP/1.1\r\nX-A: " + std::string(40'000, 'x'),
     {431},
     true},
    {"a long URL", Get("/v2/?x=" + std::string(16'000, 'x')), {200}},
    {"a URL too long", Get("/v2/?x=" + std::string(17'000, 'x')) + kPing, {414}, true},
    {"a URL that does not end", "GET /" + std::string(20'000, 'x'), {414}, true},
    // HTTP/1.0.
    {"HTTP/1.0", "GET /v2/ HTTP/1.0\r\n\r\n" + kPing, {401}, true},
    {"HTTP/1.0 that stays",
     "GET /v2/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + kPing,
     {401, 200}},
};

class FramingTest : public testing::TestWithParam<Case> {};

TEST_P(FramingTest, EveryRequestHasItsAnswerOrTheConnectionEnds) {
  const Case& c = GetParam();
  TestServer server;
  TestClient client = server.Connect();
  client.Send(c.text);
  for (const int& status : c.statuses) {
    const TestResponse response = client.Receive();
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_TRUE(response.complete);
    if (status >= 400) {
      EXPECT_FALSE(response.ErrorCode().empty()) << response.body;
    }
    const bool last = &status == &c.statuses.back();
    EXPECT_EQ(response.Field("connection") == "close", c.ends && last);
  }
  if (c.ends) {
    EXPECT_TRUE(client.IsClosed()) << "there is another response, or the connection stays open";
  } else {
    EXPECT_EQ(client.Exchange(kPing).status, 200);
  }
}
INSTANTIATE_TEST_SUITE_P(Requests, FramingTest, testing::ValuesIn(kCases), kNameOfRow);

TEST(Framing, ABodyThatEndsEarlyIsMalformed) {
  TestServer server;
  for (const std::string& text :
       {Push("Content-Length: 100\r\n", "abc"), PushChunked("3\r\nabc\r\n")}) {
    TestClient client = server.Connect();
    client.Send(text);
    client.HalfClose();
    const TestResponse rejected = client.Receive();
    EXPECT_EQ(rejected.status, 400);
    EXPECT_EQ(rejected.ErrorCode(), "UNSUPPORTED");
  }
  EXPECT_EQ(server.registry().OpenUploads(), 0u);
}

// The client never sends a rejected body of 5 GiB: it gets no 100, and the response ends the
// connection.
TEST(Framing, ARejectedPushSendsNoBody) {
  TestServer server;
  const std::string expects = "Expect: 100-continue\r\nContent-Length: 5368709120\r\n";
  const struct {
    const char* what;
    TestRequest request;
    int status;
  } kRefused[] = {
      {"nobody", {.method = "PATCH", .target = "/v2/a/blobs/uploads/x", .user = ""}, 401},
      {"no grant",
       {.method = "PATCH", .target = "/v2/a/blobs/uploads/x", .user = "bob:builder"},
       403},
      {"no session", {.method = "PATCH", .target = "/v2/a/blobs/uploads/x"}, 404},
      {"a bad digest", {.method = "PUT", .target = "/v2/a/blobs/uploads/x?digest=y"}, 400},
      {"a bad name", {.method = "POST", .target = "/v2/A/blobs/uploads/?digest=y"}, 400},
      {"the wrong method", {.method = "PUT", .target = "/v2/_catalog"}, 405},
      {"too large a manifest", {.method = "PUT", .target = "/v2/a/manifests/v1"}, 413},
  };
  for (const auto& c : kRefused) {
    SCOPED_TRACE(c.what);
    TestRequest request = c.request;
    request.fields = expects;
    TestClient client = server.Connect();
    const TestResponse rejected = client.Exchange(request.Text());
    EXPECT_EQ(rejected.status, c.status);
    EXPECT_FALSE(rejected.ErrorCode().empty()) << rejected.body;
    EXPECT_EQ(rejected.Field("connection"), "close");
    EXPECT_TRUE(client.IsClosed());
  }
}

}  // namespace
}  // namespace outport::http
