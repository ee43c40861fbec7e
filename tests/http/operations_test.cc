#include "registry/http/operations_server.h"

#include "tests/http/fixture.h"

namespace outport::http {
namespace {

class Operations : public testing::Test {
 protected:
  Operations() : guard_(context_.get_executor()), runner_([this] { context_.run(); }) {
    EXPECT_TRUE(server_.Listen().has_value());
    server_.Start();
  }
  ~Operations() override {
    server_.Stop(std::chrono::steady_clock::now());
    guard_.reset();
    runner_.join();
  }
  TestResponse Call(const std::string& method, const std::string& target) {
    TestClient client = TestClient::Plain(server_.port());
    return client.Exchange(method + " " + target + " HTTP/1.1\r\nHost: a\r\n\r\n",
                           method == "HEAD");
  }

  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  Metrics metrics_;
  Readiness readiness_;
  OperationsServer server_{context_.get_executor(), "127.0.0.1:0", metrics_,
                           [this] { return readiness_; }, Log::Nowhere()};
  std::thread runner_;
};

TEST_F(Operations, AnswersHealthChecks) {
  const TestResponse response = Call("GET", "/healthz");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "ok\n");
  EXPECT_EQ(response.Field("x-content-type-options"), "nosniff");
  EXPECT_EQ(Call("HEAD", "/healthz").Field("content-length"), "3");
}

TEST_F(Operations, I12ShowsWhyItIsNotReady) {
  EXPECT_EQ(Call("GET", "/readyz").status, 200);
  readiness_.reasons = {"the store was never reached"};
  const TestResponse response = Call("GET", "/readyz?verbose");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body,
            "{\"ready\":false,\"reasons\":[\"the store was never reached\"],\"warnings\":[]}\n");
}

TEST_F(Operations, AWarningLeavesItReady) {
  readiness_.warnings = {"the server certificate expires soon"};
  const TestResponse response = Call("GET", "/readyz");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            "{\"ready\":true,\"reasons\":[],"
            "\"warnings\":[\"the server certificate expires soon\"]}\n");
}

TEST_F(Operations, ShowsMetrics) {
  metrics_.Counter("outport_test_total", "A test.").Increment();
  const TestResponse response = Call("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(response.body.find("outport_test_total 1"), std::string::npos);
}

TEST_F(Operations, RejectsOtherPathsAndMethods) {
  EXPECT_EQ(Call("GET", "/").status, 404);
  EXPECT_EQ(Call("POST", "/metrics").status, 405);
  TestClient client = TestClient::Plain(server_.port());
  EXPECT_EQ(client.Exchange("\x16\x03\x01 hello\r\n\r\n").status, 400);
}

}  // namespace
}  // namespace outport::http
