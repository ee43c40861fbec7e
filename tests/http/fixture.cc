#include "tests/http/fixture.h"

#include "registry/base/base64.h"
#include "registry/security/password/password.h"

namespace outport::http {
namespace {

using std::chrono::steady_clock;

ClientIdentity IssueTo(const pki::Authority& authority, pki::LeafOptions options,
                       std::chrono::seconds lifetime = std::chrono::hours(1)) {
  options.lifetime = lifetime;
  const std::string key = pki::CreatePrivateKey();
  const auto leaf = *pki::Issue(authority, *pki::CreateRequest(key), options);
  return {leaf.certificate + authority.issuing.certificate, key};
}

}  // namespace

TestFleet::TestFleet()
    : authority(*pki::CreateAuthority("outport")),
      server(IssueTo(authority, {.role = Role::kStore,
                                 .name = "store",
                                 .host_names = {"localhost"},
                                 .server = true,
                                 .client = false})),
      desktop(IssueTo(authority, {.name = "desktop"})),
      node(IssueTo(authority, {.role = Role::kNode, .name = "eu-west"})),
      foreign(IssueTo(*pki::CreateAuthority("outport"), {.name = "desktop"})) {}

const TestFleet& TestFleet::Get() {
  static const TestFleet kFleet;
  return kFleet;
}

ClientIdentity TestFleet::ShortLived(std::chrono::seconds lifetime) const {
  return IssueTo(authority, {.name = "desktop"}, lifetime);
}

std::string TestRequest::Text() const {
  std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
  if (!user.empty()) {
    text += "Authorization: Basic " + EncodeBase64(user, Base64::kStandard) + "\r\n";
  }
  text += fields;
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

TestServer::TestServer(HttpLimits limits, std::function<Result<void>()> revocations_known)
    : guard_(context_.get_executor()), authenticator_(directory_, pool_, clock_, metrics_, {}) {
  directory_.Set({"alice", *HashPassword("wonder", 4), {*ParseGrant("pull,push,delete")}});
  directory_.Set({"bob", *HashPassword("builder", 4), {*ParseGrant("pull:team/**")}});
  directory_.Set({"carol", *HashPassword("singer", 4), {}});
  const TestFleet& fleet = TestFleet::Get();
  auto tls = *ServerTlsContext::Create(
      {fleet.server.chain + fleet.authority.root.certificate,
       fleet.server.key,
       {.fleet = fleet.authority.root.certificate + fleet.authority.issuing.certificate}});
  server_ = std::make_unique<RegistryServer>(
      RegistryServer::Options{.listen = "127.0.0.1:0", .limits = limits},
      RegistryServer::Parts{.executor = context_.get_executor(),
                            .tls = std::move(tls),
                            .registry = registry_,
                            .directory = directory_,
                            .authenticator = authenticator_,
                            .clock = clock_,
                            .metrics = metrics_,
                            .log = Log::Nowhere(),
                            .revocations_known = std::move(revocations_known)});
  for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_.run(); });
  EXPECT_TRUE(server_->Listen().has_value());
  server_->Start();
}

TestServer::~TestServer() {
  Stop(std::chrono::seconds(0));
  guard_.reset();
  for (std::thread& thread : threads_) thread.join();
}

TestResponse TestServer::Call(const TestRequest& request) const {
  TestClient client = Connect();
  return client.Exchange(request.Text(), request.method == "HEAD");
}

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace outport::http
