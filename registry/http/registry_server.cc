#include "registry/http/registry_server.h"

#include <atomic>

#include "registry/http/connection/listener.h"
#include "registry/http/request_metrics.h"
#include "registry/http/session.h"

namespace outport {
namespace {

// The server re-authorises connections at this interval even if the directory does not change.
// Users and certificates expire, and a node may lose the store.
constexpr std::chrono::seconds kRecheckInterval{1};

}  // namespace

class RegistryServer::Server {
 public:
  Server(Options options, Parts parts)
      : options_(std::move(options)),
        parts_(std::move(parts)),
        tls_(parts_.tls),
        log_(parts_.log.With({{"server", "registry"}})),
        metrics_(parts_.metrics),
        manifest_bytes_(options_.limits.manifest_bytes, parts_.metrics,
                        "outport_http_manifest_memory", "manifests that are pushed and pulled"),
        shared_{.limits = options_.limits,
                .registry = parts_.registry,
                .gate = {.directory = parts_.directory,
                         .authenticator = parts_.authenticator,
                         .clock = parts_.clock,
                         .revocations_known = parts_.revocations_known},
                .tls = tls_,
                .metrics = metrics_,
                .manifest_bytes = manifest_bytes_,
                .log = log_},
        listener_(parts_.executor,
                  {.server = "registry",
                   .listen = options_.listen,
                   .connections = options_.limits.connections,
                   .connections_of_one_address = options_.limits.connections_of_one_address},
                  parts_.metrics, parts_.log,
                  [this](net::ip::tcp::socket socket, http::ConnectionSlot& slot) {
                    return Serve(std::move(socket), slot);
                  }),
        watching_(parts_.executor, log_) {}
  ~Server() { Stop(std::chrono::steady_clock::now()); }

  http::Listener& listener() { return listener_; }
  void Start() {
    watching_.Spawn([this] { return Watch(); });
    listener_.Start();
  }
  void Stop(std::chrono::steady_clock::time_point deadline) {
    listener_.Stop(deadline);
    stopping_ = true;
    parts_.directory.Changed().Notify();
    while (!watching_.DrainBlocking(std::chrono::steady_clock::now() + kRecheckInterval)) {
      log_.Warning("still re-authorising connections");
    }
  }
  void UseTls(std::shared_ptr<ServerTlsContext> tls) {
    tls_ = std::move(tls);
    listener_.RecheckAll();
  }

 private:
  // Re-authorises the connections after each change of the directory, and after kRecheckInterval
  // without a change. Several changes at once cause only one re-authorisation.
  net::awaitable<void> Watch() {
    uint64_t seen = parts_.directory.Changed().Version();
    while (!stopping_) {
      const auto deadline = std::chrono::steady_clock::now() + kRecheckInterval;
      co_await parts_.directory.Changed().WaitPast(seen, deadline);
      seen = parts_.directory.Changed().Version();
      listener_.RecheckAll();
    }
  }

  net::awaitable<void> Serve(net::ip::tcp::socket socket, http::ConnectionSlot& slot) {
    http::Stream stream(std::move(socket), slot.strand(), tls_.load(), options_.limits.progress);
    http::Session session(shared_, stream, slot);
    co_await session.Run();
  }

  const Options options_;
  const Parts parts_;
  std::atomic<std::shared_ptr<ServerTlsContext>> tls_;  // shared with the connections
  const Log log_;
  http::RequestMetrics metrics_;
  http::ByteBudget manifest_bytes_;
  const http::Session::Shared shared_;
  http::Listener listener_;  // declared after the members that its connections use
  std::atomic<bool> stopping_ = false;
  TaskGroup watching_;
};

RegistryServer::RegistryServer(Options options, Parts parts)
    : server_(std::make_unique<Server>(std::move(options), std::move(parts))) {}
RegistryServer::~RegistryServer() = default;

Result<void> RegistryServer::Listen() { return server_->listener().Listen(); }
uint16_t RegistryServer::port() const { return server_->listener().port(); }
std::string RegistryServer::address() const { return server_->listener().address(); }
void RegistryServer::UseTls(std::shared_ptr<ServerTlsContext> tls) {
  server_->UseTls(std::move(tls));
}
void RegistryServer::Start() { server_->Start(); }
void RegistryServer::Stop(std::chrono::steady_clock::time_point deadline) {
  server_->Stop(deadline);
}

}  // namespace outport
