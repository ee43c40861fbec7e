#include "registry/security/tls/tls.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport {
namespace {

using std::chrono::hours;

std::chrono::system_clock::time_point Now() { return std::chrono::system_clock::now(); }

struct Holder {
  std::string chain;  // leaf and issuing CA
  std::string key;
};

Holder IssueTo(const pki::Authority& authority, pki::LeafOptions options) {
  const std::string key = pki::CreatePrivateKey();
  options.lifetime = hours(1);
  const auto leaf = *pki::Issue(authority, *pki::CreateRequest(key), options);
  return {leaf.certificate + authority.issuing.certificate, key};
}

struct Fleet {
  pki::Authority authority = *pki::CreateAuthority("outport");
  Holder server = IssueTo(authority, {.role = Role::kStore,
                                      .name = "store",
                                      .host_names = {"localhost"},
                                      .server = true,
                                      .client = false});
  std::shared_ptr<ServerTlsContext> Context(ClientAuth auth = ClientAuth::kRequire) const {
    const std::string own = authority.root.certificate + authority.issuing.certificate;
    return *ServerTlsContext::Create(
        {server.chain + authority.root.certificate, server.key, {.auth = auth, .fleet = own}});
  }
};

const Fleet& TestFleet() {
  static const Fleet kFleet;
  return kFleet;
}

// A client and a server in one thread; the test passes the records between them.
class Handshake {
 public:
  Handshake(ServerTlsContext& server, const Holder* client, int version)
      : client_context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(client_context_.get(), version);
    SSL_CTX_set_max_proto_version(client_context_.get(), version);
    if (client != nullptr) {
      const auto chain = *openssl::ReadCertificates(client->chain);
      SSL_CTX_use_certificate(client_context_.get(), chain[0].get());
      for (size_t i = 1; i < chain.size(); ++i) {
        SSL_CTX_add1_chain_cert(client_context_.get(), chain[i].get());
      }
      SSL_CTX_use_PrivateKey(client_context_.get(), openssl::ReadPrivateKey(client->key)->get());
    }
    client_.reset(SSL_new(client_context_.get()));
    server_.reset(SSL_new(server.native()));
    BIO* client_side = nullptr;
    BIO* server_side = nullptr;
    BIO_new_bio_pair(&client_side, 0, &server_side, 0);
    SSL_set_bio(client_.get(), client_side, client_side);
    SSL_set_bio(server_.get(), server_side, server_side);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
  }

  bool Run() {
    int client = 0;
    int server = 0;
    for (int i = 0; i < 20 && (client != 1 || server != 1); ++i) {
      client = SSL_do_handshake(client_.get());
      server = SSL_do_handshake(server_.get());
    }
    ERR_clear_error();
    return client == 1 && server == 1;
  }

  // The bytes that the client receives after the server wrote "x": the handshake succeeded.
  std::string Exchange() {
    char buffer[8];
    SSL_write(server_.get(), "x", 1);
    const int n = SSL_read(client_.get(), buffer, sizeof(buffer));
    return n > 0 ? std::string(buffer, static_cast<size_t>(n)) : std::string();
  }

  SSL* server() { return server_.get(); }
  SSL* client() { return client_.get(); }

 private:
  openssl::ContextPtr client_context_;
  openssl::ConnectionPtr client_;
  openssl::ConnectionPtr server_;
};

class TlsVersions : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(All, TlsVersions, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsVersions, IdentifiesAClientOfTheFleet) {
  const Fleet& fleet = TestFleet();
  const Holder desktop = IssueTo(fleet.authority, {.name = "desktop"});
  const auto context = fleet.Context();
  Handshake handshake(*context, &desktop, GetParam());
  ASSERT_TRUE(handshake.Run());
  const auto identity = context->PeerIdentity(handshake.server(), Now());
  ASSERT_TRUE(identity.has_value()) << identity.error().message;
  EXPECT_EQ(identity->name, "desktop");
  EXPECT_EQ(identity->role, Role::kClient);
  EXPECT_EQ(identity->serial, pki::Inspect(desktop.chain)->serial);
  EXPECT_EQ(handshake.Exchange(), "x");
  EXPECT_EQ(SSL_session_reused(handshake.server()), 0);
}

struct Rejection {
  const char* what;
  const Holder* client;
  std::chrono::hours clock;  // offset of the verifying clock
  const char* reason;
};

TEST_P(TlsVersions, I6OtherCertificatesAreRejectedWithAReason) {
  const Fleet& fleet = TestFleet();
  const pki::Authority stranger = *pki::CreateAuthority("outport");
  const Holder good = IssueTo(fleet.authority, {.name = "desktop"});
  const Holder foreign = IssueTo(stranger, {.name = "desktop"});
  const Holder server_only =
      IssueTo(fleet.authority, {.name = "desktop", .server = true, .client = false});
  const Holder node = IssueTo(fleet.authority, {.role = Role::kNode, .name = "eu-west"});
  const Holder admin = IssueTo(fleet.authority, {.role = Role::kAdmin, .name = "admin"});
  const Holder authority{fleet.authority.issuing.certificate, fleet.authority.issuing.private_key};
  const Rejection kCases[] = {
      {"none", nullptr, hours(0), "No required SSL certificate was sent"},
      {"of another authority", &foreign, hours(0), "unknown authority"},
      {"expired", &good, hours(2), "expired"},
      {"not yet valid", &good, hours(-2), "not yet valid"},
      {"for servers", &server_only, hours(0), "extended key usage"},
      {"of a node", &node, hours(0), "role 'node'"},
      {"of an administrator", &admin, hours(0), "role 'admin'"},
      {"of the issuing CA itself", &authority, hours(0), "not accepted"},
  };
  for (const Rejection& c : kCases) {
    SCOPED_TRACE(c.what);
    const auto context = fleet.Context();
    Handshake handshake(*context, c.client, GetParam());
    ASSERT_TRUE(handshake.Run()) << "the response explains it, not the handshake";
    EXPECT_EQ(handshake.Exchange(), "x");
    const auto identity = context->PeerIdentity(handshake.server(), Now() + c.clock);
    ASSERT_FALSE(identity.has_value());
    EXPECT_EQ(identity.error().code, ErrorCode::kCertificateInvalid);
    EXPECT_NE(identity.error().message.find(c.reason), std::string::npos)
        << identity.error().message;
  }
}

struct Mode {
  const char* what;
  ClientAuth auth;
  bool handshake_without, handshake_foreign;  // whether it succeeds
  bool without, foreign, own;                 // whether the client is accepted
};
constexpr Mode kModes[] = {
    {"require", ClientAuth::kRequire, true, true, false, false, true},
    {"strict", ClientAuth::kStrict, false, false, false, false, true},
    {"optional", ClientAuth::kOptional, true, true, true, false, true},
    {"off", ClientAuth::kOff, true, true, true, true, true},
};

TEST_P(TlsVersions, I6EachModeRequiresItsCertificates) {
  const Fleet& fleet = TestFleet();
  const Holder own = IssueTo(fleet.authority, {.name = "desktop"});
  const Holder foreign = IssueTo(*pki::CreateAuthority("outport"), {.name = "desktop"});
  for (const Mode& mode : kModes) {
    const auto context = fleet.Context(mode.auth);
    struct {
      const char* what;
      const Holder* client;
      bool handshake, let_in;
    } const kCases[] = {{"none", nullptr, mode.handshake_without, mode.without},
                        {"foreign", &foreign, mode.handshake_foreign, mode.foreign},
                        {"own", &own, true, mode.own}};
    for (const auto& c : kCases) {
      SCOPED_TRACE(std::string(mode.what) + ", " + c.what);
      Handshake handshake(*context, c.client, GetParam());
      ASSERT_EQ(handshake.Run(), c.handshake);
      EXPECT_EQ(HandshakeRejection(handshake.server()).contains("unknown authority"),
                !c.handshake && c.client != nullptr);
      if (!c.handshake) continue;
      const auto identity = context->PeerIdentity(handshake.server(), Now());
      EXPECT_EQ(identity.has_value(), c.let_in);
      const bool named = c.let_in && c.client != nullptr && mode.auth != ClientAuth::kOff;
      if (c.let_in) EXPECT_EQ(identity->name, named ? "desktop" : "");
    }
  }
}

TEST_P(TlsVersions, TheRequestListsNoAuthority) {
  const auto context = TestFleet().Context();
  Handshake handshake(*context, nullptr, GetParam());
  ASSERT_TRUE(handshake.Run());
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(handshake.client());
  EXPECT_LE(sk_X509_NAME_num(names), 0) << "Go clients would send no certificate";
}

TEST(Tls, OldVersionsAreRejected) {
  const auto context = TestFleet().Context();
  Handshake handshake(*context, nullptr, TLS1_1_VERSION);
  EXPECT_FALSE(handshake.Run());
}

TEST(ServerTlsContext, ErrorsNameTheInvalidPart) {
  const Fleet& fleet = TestFleet();
  const std::string root = fleet.authority.root.certificate;
  const auto why = [](const ServerTlsOptions& options) {
    const auto context = ServerTlsContext::Create(options);
    return context.has_value() ? std::string() : context.error().message;
  };
  EXPECT_EQ(why({fleet.server.chain, fleet.server.key, {.fleet = root}}), "");
  EXPECT_NE(why({"", fleet.server.key, {.fleet = root}}).find("no certificate"), std::string::npos);
  EXPECT_NE(why({fleet.server.chain, "", {.fleet = root}}).find("private key"), std::string::npos);
  EXPECT_NE(
      why({fleet.server.chain, pki::CreatePrivateKey(), {.fleet = root}}).find("does not belong"),
      std::string::npos);
  EXPECT_NE(why({fleet.server.chain, fleet.server.key, {}}).find("authorities"), std::string::npos);
  EXPECT_NE(
      why({fleet.server.chain, fleet.server.key, {.fleet = fleet.server.chain}}).find("not a CA"),
      std::string::npos);
}

// A TCP server on loopback that performs one TLS handshake, or only accepts.
class OneConnection {
 public:
  explicit OneConnection(std::shared_ptr<ServerTlsContext> context)
      : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    ::listen(listener_, 1);
    socklen_t size = sizeof(address);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (context != nullptr) {
      thread_ = std::thread([this, context] { Serve(*context); });
    }
  }
  ~OneConnection() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Serve(ServerTlsContext& context) const {
    const int fd = ::accept(listener_, nullptr, nullptr);
    const openssl::ConnectionPtr ssl(SSL_new(context.native()));
    SSL_set_fd(ssl.get(), fd);
    SSL_accept(ssl.get());
    ::close(fd);
  }

  int listener_;
  int port_ = 0;
  std::thread thread_;
};

TEST(FetchServerChain, ReturnsTheWholeChain) {
  const Fleet& fleet = TestFleet();
  const OneConnection server(fleet.Context());
  const auto chain = FetchServerChain(server.address(), std::chrono::seconds(10));
  ASSERT_TRUE(chain.has_value()) << chain.error().message;
  ASSERT_EQ(chain->size(), 3u);
  EXPECT_EQ(*pki::Fingerprint(chain->back()), *pki::Fingerprint(fleet.authority.root.certificate));
}

TEST(FetchServerChain, EndsAtItsDeadline) {
  const OneConnection silent(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const auto chain = FetchServerChain(silent.address(), std::chrono::milliseconds(200));
  ASSERT_FALSE(chain.has_value());
  EXPECT_EQ(chain.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(chain.error().message.find(silent.address()), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(FetchServerChain, NamesAnInvalidAddress) {
  for (const char* address : {"", "store", ":5001", "store:"}) {
    const auto chain = FetchServerChain(address, std::chrono::seconds(1));
    ASSERT_FALSE(chain.has_value());
    EXPECT_EQ(chain.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace outport
