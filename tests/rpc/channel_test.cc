#include "registry/rpc/channel.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "registry/rpc/unary.h"
#include "registry/security/pki/pki.h"
#include "tests/rpc/replication_fixture.h"
#include "tests/support/fleet_credentials.h"

namespace outport::rpc {
namespace {

using net::ip::tcp;

const tcp::endpoint kAnyPort(net::ip::address_v4::loopback(), 0);

// A proxy to a local server that delays every byte by `delay`.
class SlowLine {
 public:
  SlowLine(uint16_t server_port, std::chrono::milliseconds delay)
      : server_(kAnyPort.address(), server_port), delay_(delay), acceptor_(context_, kAnyPort) {
    net::co_spawn(context_, Accept(), [](const std::exception_ptr&) {});
    runner_ = std::thread([this] { context_.run(); });
  }
  ~SlowLine() {
    context_.stop();
    runner_.join();
  }
  std::string address() const {
    return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
  }

 private:
  using Socket = std::shared_ptr<tcp::socket>;  // shared by the two directions

  net::awaitable<void> Accept() {
    for (;;) {
      auto near =
          std::make_shared<tcp::socket>(co_await acceptor_.async_accept(net::use_awaitable));
      auto far = std::make_shared<tcp::socket>(context_);
      co_await far->async_connect(server_, net::use_awaitable);
      net::co_spawn(context_, Carry(near, far), [](const std::exception_ptr&) {});
      net::co_spawn(context_, Carry(far, near), [](const std::exception_ptr&) {});
    }
  }
  net::awaitable<void> Carry(Socket from, Socket to) {
    std::array<char, 16 << 10> bytes;
    net::steady_timer way(context_);
    for (;;) {
      boost::system::error_code ended;
      const size_t size = co_await from->async_read_some(
          net::buffer(bytes), net::redirect_error(net::use_awaitable, ended));
      way.expires_after(delay_);
      co_await way.async_wait(net::use_awaitable);
      if (ended) break;
      co_await net::async_write(*to, net::buffer(bytes, size), net::use_awaitable);
    }
    to->close();
  }

  const tcp::endpoint server_;
  const std::chrono::milliseconds delay_;
  net::io_context context_{1};
  tcp::acceptor acceptor_;
  std::thread runner_;
};

class AnsweringService final : public v1::Replication::CallbackService {
 public:
  grpc::ServerUnaryReactor* Resolve(grpc::CallbackServerContext* context, const v1::ResolveRequest*,
                                    v1::ResolveResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

TlsIdentity Issue(const pki::Authority& authority, Role role) {
  const std::string key = pki::CreatePrivateKey();
  const pki::LeafOptions options{.role = role,
                                 .name = "test",
                                 .host_names = {"127.0.0.1"},
                                 .server = role == Role::kStore,
                                 .client = true,
                                 .lifetime = std::chrono::hours(1)};
  const std::string leaf = pki::Issue(authority, *pki::CreateRequest(key), options)->certificate;
  return {leaf + authority.issuing.certificate, key,
          authority.root.certificate + authority.issuing.certificate};
}

using ChannelTest = ReplicationFixture;

// A new connection takes three round trips: TCP, TLS, and the settings of HTTP/2.
TEST_F(ChannelTest, ConnectsOverASlowLine) {
  const pki::Authority authority = *pki::CreateAuthority("outport");
  AnsweringService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", FleetServerCredentials(Issue(authority, Role::kStore)),
                           &port);
  builder.RegisterService(&service);
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr);
  const SlowLine line(static_cast<uint16_t>(port), 150ms);

  stub_ = v1::Replication::NewStub(Dial(line.address(), Issue(authority, Role::kNode), true));
  auto invoke = [this](auto... arguments) { stub_->async()->Resolve(arguments...); };
  auto call = [&]() -> net::awaitable<Result<v1::ResolveResponse>> {
    const CallOptions options{.operation = "resolving", .timeout = 20s, .request_id = ""};
    co_return co_await Call<v1::ResolveResponse>(invoke, v1::ResolveRequest(), options);
  };
  const auto answer = RunToEnd(call);
  EXPECT_TRUE(answer.has_value()) << answer.error().message;
  StopServer();
}

}  // namespace
}  // namespace outport::rpc
