#include "tests/http/client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <utility>

namespace outport::http {
namespace {

constexpr int kWaitSeconds = 10;

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
std::unique_ptr<BIO, BioFree> Memory(const std::string& pem) {
  return std::unique_ptr<BIO, BioFree>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

void UseIdentity(SSL_CTX* context, const ClientIdentity& identity) {
  const auto chain = Memory(identity.chain);
  X509* leaf = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context, leaf);
  X509_free(leaf);
  while (X509* issuer = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(context, issuer);
  }
  const auto key_text = Memory(identity.key);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr);
  SSL_CTX_use_PrivateKey(context, key);
  EVP_PKEY_free(key);
  ERR_clear_error();
}

}  // namespace

std::string TestResponse::Field(const std::string& lower_case_name) const {
  const auto found = fields.find(lower_case_name);
  return found == fields.end() ? "" : found->second;
}

std::string TestResponse::ErrorCode() const {
  boost::system::error_code failure;
  const auto json = boost::json::parse(body, failure);
  if (failure || !json.is_object() || !json.as_object().contains("errors")) return "";
  return std::string(json.at("errors").at(0).at("code").as_string());
}

void TestClient::ContextFree::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }
void TestClient::SslFree::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TestClient::TestClient() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets that the server has closed
  const timeval wait{.tv_sec = kWaitSeconds, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
  // As clients do: else a request waits for the server's acknowledgement of the handshake.
  const int no_delay = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay));
}

void TestClient::ConnectTo(uint16_t port, const char* source) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ::inet_pton(AF_INET, source, &address.sin_addr);
  ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

TestClient TestClient::Plain(uint16_t port, const char* source) {
  TestClient client;
  client.ConnectTo(port, source);
  return client;
}

TestClient TestClient::Tls(uint16_t port, const ClientIdentity* identity, const char* source) {
  TestClient client = Plain(port, source);
  if (!client.connected_) return client;
  client.context_.reset(SSL_CTX_new(TLS_client_method()));
  if (identity != nullptr) UseIdentity(client.context_.get(), *identity);
  client.ssl_.reset(SSL_new(client.context_.get()));
  SSL_set_fd(client.ssl_.get(), client.socket_);
  client.connected_ = SSL_connect(client.ssl_.get()) == 1;
  ERR_clear_error();
  return client;
}

TestClient::TestClient(TestClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      connected_(other.connected_),
      context_(std::move(other.context_)),
      ssl_(std::move(other.ssl_)),
      input_(std::move(other.input_)) {}

TestClient::~TestClient() {
  ssl_.reset();
  if (socket_ >= 0) ::close(socket_);
}

bool TestClient::Send(const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const size_t left = text.size() - sent;
    ERR_clear_error();
    const long n = ssl_ != nullptr ? SSL_write(ssl_.get(), text.data() + sent,
                                               static_cast<int>(std::min<size_t>(left, 1 << 20)))
                                   : ::send(socket_, text.data() + sent, left, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

void TestClient::HalfClose() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_.get());
  ::shutdown(socket_, SHUT_WR);
}

long TestClient::Read(char* buffer, size_t size) {
  if (ssl_ == nullptr) return ::recv(socket_, buffer, size, 0);
  ERR_clear_error();
  const int n = SSL_read(ssl_.get(), buffer, static_cast<int>(size));
  if (n > 0) return n;
  return SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

bool TestClient::Fill() {
  char buffer[16384];
  const long n = Read(buffer, sizeof(buffer));
  if (n <= 0) return false;
  input_.append(buffer, static_cast<size_t>(n));
  return true;
}

std::string TestClient::ReceiveHead() {
  size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return "";
  }
  std::string text = input_.substr(0, end + 2);
  input_.erase(0, end + 4);
  return text;
}

TestResponse TestClient::Receive(bool head) {
  TestResponse response;
  std::string text = ReceiveHead();
  if (text.empty()) return response;
  response.status = std::stoi(text.substr(text.find(' ') + 1));
  text.erase(0, text.find("\r\n") + 2);
  while (!text.empty()) {
    const std::string line = text.substr(0, text.find("\r\n"));
    text.erase(0, line.size() + 2);
    std::string name = line.substr(0, line.find(':'));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.fields[name] = line.substr(std::min(line.size(), name.size() + 2));
  }
  const std::string length = response.Field("content-length");
  const size_t wanted = head || length.empty() ? 0 : std::stoull(length);
  while (input_.size() < wanted && Fill()) {
  }
  response.body = input_.substr(0, wanted);
  input_.erase(0, response.body.size());
  response.complete = response.body.size() == wanted;
  return response;
}

TestResponse TestClient::Exchange(const std::string& text, bool head) {
  Send(text);
  return Receive(head);
}

std::string TestClient::ReceiveAll(bool& closed) {
  char buffer[16384];
  for (;;) {
    const long n = Read(buffer, sizeof(buffer));
    if (n <= 0) {
      closed = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
      return std::exchange(input_, "");
    }
    input_.append(buffer, static_cast<size_t>(n));
  }
}

bool TestClient::IsClosed() {
  bool closed = false;
  return ReceiveAll(closed).empty() && closed;
}

}  // namespace outport::http
