#include "registry/rpc/unary.h"

#include <vector>

#include "tests/rpc/replication_fixture.h"
#include "tests/support/test_latch.h"

namespace outport::rpc {
namespace {

// Serves Resolve on a pool: returns the reference, the request id, or an error.
class EchoService final : public v1::Replication::CallbackService {
 public:
  explicit EchoService(BlockingPool& pool) : pool_(pool) {}

  grpc::ServerUnaryReactor* Resolve(grpc::CallbackServerContext* context,
                                    const v1::ResolveRequest* request,
                                    v1::ResolveResponse* response) override {
    return ServeBlocking(context, pool_, response,
                         [context, request]() -> Result<v1::ResolveResponse> {
                           if (request->reference() == "missing") {
                             return Error{ErrorCode::kManifestUnknown, "no such tag", {"missing"}};
                           }
                           v1::ResolveResponse answer;
                           answer.set_digest(request->reference());
                           answer.set_media_type(RequestIdOf(*context));
                           return answer;
                         });
  }

 private:
  BlockingPool& pool_;
};

class UnaryTest : public ReplicationFixture {
 protected:
  net::awaitable<Result<v1::ResolveResponse>> Resolve(std::string reference,
                                                      std::chrono::milliseconds timeout = 30s) {
    v1::ResolveRequest request;
    request.set_reference(reference);
    CallOptions options{.operation = "resolving", .timeout = timeout, .request_id = "r-1"};
    auto invoke = [this](auto... arguments) { stub_->async()->Resolve(arguments...); };
    co_return co_await Call<v1::ResolveResponse>(invoke, request, options);
  }

  BlockingPool pool_{"test", 2, 100};
  EchoService service_{pool_};
};

TEST_F(UnaryTest, TransfersTheResponseAndTheRequestId) {
  StartServer(service_);
  const auto answer = RunToEnd([&] { return Resolve("latest"); });
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->digest(), "latest");
  EXPECT_EQ(answer->media_type(), "r-1");
}

TEST_F(UnaryTest, TheCallerGetsTheServersError) {
  StartServer(service_);
  const auto answer = RunToEnd([&] { return Resolve("missing"); });
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kManifestUnknown);
  EXPECT_EQ(answer.error().message, "no such tag");
  EXPECT_EQ(answer.error().items, std::vector<std::string>{"missing"});
}

TEST_F(UnaryTest, AnUnreachableServerIsUnavailable) {
  StartServer(service_);
  StopServer();
  const auto answer = RunToEnd([&] { return Resolve("latest"); });
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(answer.error().message.starts_with("resolving: ")) << answer.error().message;
}

TEST_F(UnaryTest, ACallEndsAtItsDeadline) {
  StartServer(service_);
  // Shared with the pool: its threads may use the latch after this test has ended.
  const auto release = std::make_shared<TestLatch>();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool_.Post([release] { release->Wait(); }));
  const auto answer = RunToEnd([&] { return Resolve("latest", 50ms); });
  release->CountDown();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(UnaryTest, AFullPoolIsReported) {
  BlockingPool narrow("narrow", 1, 0);
  EchoService service(narrow);
  StartServer(service);
  const auto answer = RunToEnd([&] { return Resolve("latest"); });
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kTooManyRequests);
  StopServer();
}

}  // namespace
}  // namespace outport::rpc
