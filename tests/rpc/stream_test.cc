#include "registry/rpc/stream.h"

#include <atomic>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "tests/rpc/replication_fixture.h"

namespace outport::rpc {
namespace {

using std::chrono::steady_clock;
using SyncServer = ServerStream<v1::NodeMessage, v1::StoreMessage>;
using SyncClient = ClientStream<v1::NodeMessage, v1::StoreMessage>;
using ServeSync = std::function<net::awaitable<Result<void>>(SyncServer&)>;

// Serves Sync with a coroutine of the test.
class StreamService final : public v1::Replication::CallbackService {
 public:
  StreamService(TaskGroup& tasks, ServeSync serve) : tasks_(tasks), serve_(std::move(serve)) {}

  grpc::ServerBidiReactor<v1::NodeMessage, v1::StoreMessage>* Sync(
      grpc::CallbackServerContext* context) override {
    return ServeStream<SyncServer>(context, tasks_, serve_);
  }

 private:
  TaskGroup& tasks_;
  const ServeSync serve_;
};

class StreamTest : public ReplicationFixture {
 protected:
  ~StreamTest() override {
    StopServer();
    EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
  }
  void Serve(ServeSync serve) {
    service_ = std::make_unique<StreamService>(tasks_, std::move(serve));
    StartServer(*service_);
  }
  std::shared_ptr<SyncClient> Connect() {
    auto begin = [this](grpc::ClientContext* context, auto* reactor) {
      stub_->async()->Sync(context, reactor);
    };
    return std::make_shared<SyncClient>(begin);
  }

  TaskGroup tasks_{context_.get_executor(), Log::Nowhere()};
  std::unique_ptr<StreamService> service_;
};

// Answers each ping with a pong until the client closes its side.
net::awaitable<Result<void>> Echo(SyncServer& stream) {
  v1::NodeMessage message;
  while (co_await stream.Read(message)) {
    v1::StoreMessage answer;
    answer.mutable_pong()->set_sent_ns(message.ping().sent_ns());
    if (!co_await stream.Write(answer)) break;
  }
  co_return Result<void>();
}

TEST_F(StreamTest, MessagesGoBothWays) {
  Serve(Echo);
  const int64_t sum = RunToEnd([&]() -> net::awaitable<int64_t> {
    const auto stream = Connect();
    int64_t total = 0;
    for (int i = 1; i <= 200; ++i) {
      v1::NodeMessage ping;
      ping.mutable_ping()->set_sent_ns(i);
      EXPECT_TRUE(co_await stream->Write(ping));
      v1::StoreMessage pong;
      EXPECT_TRUE(co_await stream->Read(pong));
      total += pong.pong().sent_ns();
    }
    co_await stream->Close();
    co_return total;
  });
  EXPECT_EQ(sum, 200 * 201 / 2);
}

TEST_F(StreamTest, TheServersErrorEndsTheStream) {
  Serve([](SyncServer&) -> net::awaitable<Result<void>> {
    co_return Error{ErrorCode::kDenied, "not this node"};
  });
  const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
    const auto stream = Connect();
    v1::StoreMessage message;
    EXPECT_FALSE(co_await stream->Read(message));
    co_return co_await stream->Close();
  });
  EXPECT_EQ(FromStatus(status, "syncing").code, ErrorCode::kDenied);
  EXPECT_EQ(FromStatus(status, "syncing").message, "not this node");
}

// The server ends the call while the client is still writing.
TEST_F(StreamTest, TheServersErrorReachesAWritingClient) {
  Serve([](SyncServer& stream) -> net::awaitable<Result<void>> {
    v1::NodeMessage message;
    EXPECT_TRUE(co_await stream.Read(message, 30s));
    co_return Error{ErrorCode::kNoSpace, "the disk is full"};
  });
  for (int round = 0; round < 50; ++round) {
    const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
      const auto stream = Connect();
      v1::NodeMessage ping;
      ping.mutable_hello()->set_version(std::string(100000, 'x'));
      while (co_await stream->Write(ping, 30s)) {
      }
      v1::StoreMessage message;
      EXPECT_FALSE(co_await stream->Read(message));
      co_return co_await stream->Close();
    });
    EXPECT_EQ(FromStatus(status, "syncing").code, ErrorCode::kNoSpace) << status.error_message();
  }
}

TEST_F(StreamTest, ASilentPeerIsCancelled) {
  Serve([](SyncServer& stream) -> net::awaitable<Result<void>> {
    v1::NodeMessage message;
    EXPECT_FALSE(co_await stream.Read(message, 20ms));
    co_return Error{ErrorCode::kDeadlineExceeded, "nothing came"};
  });
  const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
    const auto stream = Connect();
    v1::StoreMessage message;
    EXPECT_FALSE(co_await stream->Read(message));
    co_return co_await stream->Close();
  });
  EXPECT_FALSE(status.ok());
}

TEST_F(StreamTest, AClientThatLeavesEndsTheServersRead) {
  std::atomic<bool> ended = false;
  Serve([&](SyncServer& stream) -> net::awaitable<Result<void>> {
    const auto result = co_await Echo(stream);
    ended = true;
    co_return result;
  });
  RunToEnd([&]() -> net::awaitable<bool> {
    const auto stream = Connect();
    v1::NodeMessage ping;
    EXPECT_TRUE(co_await stream->Write(ping));
    v1::StoreMessage pong;
    EXPECT_TRUE(co_await stream->Read(pong));
    co_await stream->Close();
    co_return true;
  });
  EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
  EXPECT_TRUE(ended);
}

TEST_F(StreamTest, CancelEndsAWaitingRead) {
  Serve(Echo);
  const bool read = RunToEnd([&]() -> net::awaitable<bool> {
    const auto stream = Connect();
    net::steady_timer timer(co_await net::this_coro::executor, 20ms);
    timer.async_wait([stream](boost::system::error_code) { stream->Cancel(); });
    v1::StoreMessage message;
    const bool ok = co_await stream->Read(message);
    co_await stream->Close();
    co_return ok;
  });
  EXPECT_FALSE(read);
}

TEST_F(StreamTest, TheServerCanCancelToo) {
  Serve([](SyncServer& stream) -> net::awaitable<Result<void>> {
    stream.Cancel();
    v1::NodeMessage message;
    EXPECT_FALSE(co_await stream.Read(message));
    co_return Error{ErrorCode::kCancelled, "superseded"};
  });
  const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
    const auto stream = Connect();
    v1::StoreMessage message;
    EXPECT_FALSE(co_await stream->Read(message));
    co_return co_await stream->Close();
  });
  EXPECT_FALSE(status.ok());
}

TEST_F(StreamTest, AnUnreachableServerEndsTheStream) {
  Serve(Echo);
  StopServer();
  const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
    const auto stream = Connect();
    v1::StoreMessage message;
    EXPECT_FALSE(co_await stream->Read(message));
    co_return co_await stream->Close();
  });
  EXPECT_FALSE(status.ok());
}

TEST_F(StreamTest, AnExceptionInTheServerEndsTheCallWithAnError) {
  Serve([](SyncServer&) -> net::awaitable<Result<void>> {
    throw std::runtime_error("a bug");
    co_return Result<void>();
  });
  const grpc::Status status = RunToEnd([&]() -> net::awaitable<grpc::Status> {
    const auto stream = Connect();
    v1::StoreMessage message;
    EXPECT_FALSE(co_await stream->Read(message));
    co_return co_await stream->Close();
  });
  EXPECT_FALSE(status.ok());
}

}  // namespace
}  // namespace outport::rpc
