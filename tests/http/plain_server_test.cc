#include "registry/http/plain_server.h"

#include <fstream>

#include "tests/http/fixture.h"
#include "tests/support/temporary_folder.h"

namespace outport::http {
namespace {

constexpr uint16_t kHttps = 5000;

class Plain : public testing::Test {
 protected:
  Plain() : guard_(context_.get_executor()), runner_([this] { context_.run(); }) {
    std::filesystem::create_directories(Challenges());
    EXPECT_TRUE(server_.Listen().has_value());
    server_.Start(kHttps);
  }
  ~Plain() override {
    server_.Stop(std::chrono::steady_clock::now());
    pool_.Stop();
    guard_.reset();
    runner_.join();
  }
  std::filesystem::path Challenges() const {
    return folder_.path() / ".well-known" / "acme-challenge";
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(Challenges() / name) << text;
  }
  TestResponse Call(const std::string& method, const std::string& target,
                    const std::string& host = "registry.example.com") {
    TestClient client = TestClient::Plain(server_.port());
    return client.Exchange(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
                           method == "HEAD");
  }

  TemporaryFolder folder_;
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  Metrics metrics_;
  BlockingPool pool_{"files", 1, 10};
  PlainServer server_{context_.get_executor(),
                      {.listen = "127.0.0.1:0", .webroot = folder_.path()},
                      pool_,
                      metrics_,
                      Log::Nowhere()};
  std::thread runner_;
};

TEST_F(Plain, AnswersAChallenge) {
  Write("Token-1_a", "Token-1_a.thumbprint");
  const TestResponse response = Call("GET", "/.well-known/acme-challenge/Token-1_a");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("content-type"), "application/octet-stream");
  EXPECT_EQ(response.Field("x-content-type-options"), "nosniff");
  EXPECT_EQ(response.body, "Token-1_a.thumbprint");
  EXPECT_EQ(Call("HEAD", "/.well-known/acme-challenge/Token-1_a").status, 200);
  EXPECT_EQ(Call("POST", "/.well-known/acme-challenge/Token-1_a").status, 405);
}

TEST_F(Plain, ServesOnlyChallenges) {
  std::ofstream(folder_.path() / "secret") << "s";
  Write("dot.ted", "x");
  Write("large", std::string(10'000, 'x'));
  std::filesystem::create_directories(Challenges() / "folder");
  for (const char* token :
       {"", "unknown", "../secret", "..%2f..%2fsecret", "dot.ted", "large", "folder", "a/b"}) {
    SCOPED_TRACE(token);
    EXPECT_EQ(Call("GET", std::string("/.well-known/acme-challenge/") + token).status, 404);
  }
  EXPECT_EQ(Call("GET", "/.well-known/acme-challenge/" + std::string(129, 'a')).status, 404);
}

TEST_F(Plain, FollowsNoLinkOutOfTheWebroot) {
  std::ofstream(folder_.path() / "secret") << "s";
  std::filesystem::create_symlink(folder_.path() / "secret", Challenges() / "link");
  EXPECT_EQ(Call("GET", "/.well-known/acme-challenge/link").status, 404);
  std::filesystem::remove_all(Challenges());
  std::filesystem::create_directories(folder_.path() / "elsewhere");
  std::ofstream(folder_.path() / "elsewhere" / "token") << "t";
  std::filesystem::create_symlink(folder_.path() / "elsewhere", Challenges());
  EXPECT_EQ(Call("GET", "/.well-known/acme-challenge/token").status, 404);
}

TEST(PlainServerWarnings, AWebrootThatDoesNotExistIsReported) {
  net::io_context context;
  Metrics metrics;
  BlockingPool pool("files", 1, 10);
  PlainServer server(context.get_executor(),
                     {.listen = "127.0.0.1:0", .webroot = "/nonexistent/webroot"}, pool, metrics,
                     Log::ToStandardError(LogLevel::kWarning));
  ASSERT_TRUE(server.Listen().has_value());
  auto guard = std::make_unique<net::executor_work_guard<net::io_context::executor_type>>(
      context.get_executor());
  std::thread runner([&context] { context.run(); });
  testing::internal::CaptureStderr();
  server.Start(kHttps);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("\"webroot is no folder: challenges fail\",\"path\":\"/nonexistent"),
            std::string::npos)
      << log;
  server.Stop(std::chrono::steady_clock::now());
  pool.Stop();
  guard.reset();
  runner.join();
}

TEST_F(Plain, RedirectsOtherRequestsToHttps) {
  struct Case {
    const char* host;
    const char* target;
    const char* location;  // empty: 400
  };
  constexpr Case kCases[] = {
      {"registry.example.com", "/v2/", "https://registry.example.com:5000/v2/"},
      {"registry.example.com:80", "/v2/a/tags/list?n=1",
       "https://registry.example.com:5000/v2/a/tags/list?n=1"},
      {"10.0.0.1:8080", "/", "https://10.0.0.1:5000/"},
      {"[fd00::1]:80", "/v2/", "https://[fd00::1]:5000/v2/"},
      {"a", "//elsewhere.example.com/", "https://a:5000//elsewhere.example.com/"},
      {"elsewhere.example.com/x", "/v2/", ""},
      {"user@elsewhere.example.com", "/v2/", ""},
      {"[fd00::1", "/v2/", ""},
      {"", "/v2/", ""},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(std::string(c.host) + c.target);
    const TestResponse response = Call("GET", c.target, c.host);
    EXPECT_EQ(response.status, *c.location == '\0' ? 400 : 308);
    EXPECT_EQ(response.Field("location"), c.location);
  }
  EXPECT_EQ(Call("PUT", "/v2/a/manifests/b").status, 308) << "the method is kept";
}

}  // namespace
}  // namespace outport::http
