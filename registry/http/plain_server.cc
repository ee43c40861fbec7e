#include "registry/http/plain_server.h"

#include <algorithm>
#include <utility>

#include "registry/http/connection/plain_connections.h"
#include "registry/http/webroot.h"

namespace outport {
namespace {

constexpr size_t kConnections = 256;
constexpr std::string_view kChallenges = "/.well-known/acme-challenge/";
constexpr size_t kMaxToken = 128;
constexpr uint64_t kMaxChallengeBytes = 8 << 10;

HttpLimits Limits() {
  return HttpLimits{.header_bytes = 8 << 10,
                    .header = std::chrono::seconds(10),
                    .idle = std::chrono::seconds(10)};
}

bool IsOneOf(char c, std::string_view others) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         others.find(c) != std::string_view::npos;
}

// Whether `text` consists of base64url characters, as every token of ACME does (RFC 8555 §8.1).
// Such a token has no '/' and no '.', so its path cannot leave the folder.
bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kMaxToken &&
         std::ranges::all_of(text, [](char c) { return IsOneOf(c, "-_"); });
}

// Returns the host in a Host field, without the port. Returns an empty text if the host is not
// valid in a URL.
std::string HostOf(std::string_view field) {
  if (field.starts_with('[')) {
    const size_t end = field.find(']');
    if (end == std::string_view::npos) return "";
    const std::string_view inner = field.substr(1, end - 1);
    const bool is_v6 = std::ranges::all_of(inner, [](char c) { return IsOneOf(c, ":."); });
    return is_v6 && !inner.empty() ? std::string(field.substr(0, end + 1)) : "";
  }
  const std::string_view host = field.substr(0, field.find(':'));
  const bool is_name = std::ranges::all_of(host, [](char c) { return IsOneOf(c, ".-_"); });
  return is_name ? std::string(host) : "";
}

}  // namespace

class PlainServer::Server {
 public:
  Server(net::any_io_executor executor, Options options, BlockingPool& pool, Metrics& metrics,
         const Log& log)
      : options_(std::move(options)),
        pool_(pool),
        log_(log),
        connections_(std::move(executor),
                     {.server = "http",
                      .listen = options_.listen,
                      .connections = kConnections,
                      .connections_of_one_address = kConnections / 4},
                     Limits(), metrics, log,
                     [this](const http::RequestHead& head, http::Response& response) {
                       return Answer(head, response);
                     }) {}

  http::Listener& listener() { return connections_.listener(); }
  void Start(uint16_t https_port) {
    https_port_ = https_port;
    std::error_code failure;
    if (!options_.webroot.empty() && !std::filesystem::is_directory(options_.webroot, failure)) {
      log_.Warning("webroot is no folder: challenges fail",
                   {{"path", options_.webroot.native()},
                    {"error", failure ? failure.message() : "not a directory"}});
    }
    listener().Start();
  }

 private:
  net::awaitable<Result<void>> Answer(const http::RequestHead& head, http::Response& response) {
    const std::string_view path = std::string_view(head.target).substr(0, head.target.find('?'));
    if (!path.starts_with(kChallenges)) co_return co_await Redirect(head, response);
    if (head.method != http::Method::kGet && head.method != http::Method::kHead) {
      response.Set("Allow", "GET, HEAD");
      const Error error{ErrorCode::kUnsupported,
                        "the path of an ACME challenge allows only GET and HEAD"};
      co_return co_await response.SendError(error, "");
    }
    const std::string token(path.substr(kChallenges.size()));
    const Error unknown{ErrorCode::kNotFound, "there is no ACME challenge with this token"};
    if (options_.webroot.empty() || !IsToken(token)) {
      co_return co_await response.SendError(unknown, "");
    }
    auto read = [webroot = options_.webroot, token] {
      return ReadBeneath(webroot, {".well-known", "acme-challenge", token}, kMaxChallengeBytes);
    };
    const Result<std::string> text = co_await Blocking(pool_, std::move(read));
    if (!text.has_value()) {
      const bool is_busy = text.error().code == ErrorCode::kTooManyRequests;
      co_return co_await response.SendError(is_busy ? text.error() : unknown, "");
    }
    co_return co_await response.SendText(200, "application/octet-stream", *text);
  }

  net::awaitable<Result<void>> Redirect(const http::RequestHead& head, http::Response& response) {
    const std::string host = HostOf(head.host);
    if (host.empty()) {
      const Error error{ErrorCode::kMalformedRequest,
                        "this port redirects to HTTPS, but the Host field names no valid host"};
      co_return co_await response.SendError(error, "");
    }
    const std::string port = https_port_ == 443 ? "" : ":" + std::to_string(https_port_);
    response.Set("Location", "https://" + host + port + head.target);
    co_return co_await response.SendText(308, "text/plain", "use HTTPS for this registry\n");
  }

  const Options options_;
  BlockingPool& pool_;
  const Log log_;
  uint16_t https_port_ = 0;
  http::PlainConnections connections_;  // last: they use the members above
};

PlainServer::PlainServer(net::any_io_executor executor, Options options, BlockingPool& pool,
                         Metrics& metrics, const Log& log)
    : server_(
          std::make_unique<Server>(std::move(executor), std::move(options), pool, metrics, log)) {}
PlainServer::~PlainServer() = default;

Result<void> PlainServer::Listen() { return server_->listener().Listen(); }
uint16_t PlainServer::port() const { return server_->listener().port(); }
std::string PlainServer::address() const { return server_->listener().address(); }
void PlainServer::Start(uint16_t https_port) { server_->Start(https_port); }
void PlainServer::Stop(std::chrono::steady_clock::time_point deadline) {
  server_->listener().Stop(deadline);
}

}  // namespace outport
