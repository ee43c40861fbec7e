#include "registry/http/registry_front.h"

#include <utility>

namespace outport {
namespace {

constexpr std::chrono::seconds kFileCheckTime{1};  // the longest wait for a check of the files

RegistryServer::Parts WithTls(RegistryServer::Parts parts, const ServedCertificate& certificate) {
  parts.tls = certificate.tls();
  return parts;
}

}  // namespace

RegistryFront::RegistryFront(const RegistryConfig& config, CertificateFiles files,
                             LoadedCertificate certificate, Parts parts)
    : redirect_port_(static_cast<uint16_t>(config.redirect_port)),
      certificate_({.pool = parts.pool,
                    .clock = parts.server.clock,
                    .metrics = parts.server.metrics,
                    .log = parts.server.log,
                    .files = std::move(files),
                    .on_reload = [this](auto tls) { server_.UseTls(std::move(tls)); }},
                   std::move(certificate)),
      server_({.listen = config.listen}, WithTls(parts.server, certificate_)),
      following_(parts.server.executor, parts.server.log) {
  if (config.http_listen.empty()) return;
  plain_.emplace(parts.server.executor,
                 PlainServer::Options{.listen = config.http_listen, .webroot = config.acme_webroot},
                 parts.pool, parts.server.metrics, parts.server.log);
}

Result<void> RegistryFront::Listen() {
  TRY_VOID(NameKeyInError(server_.Listen(), "registry.listen"));
  if (plain_.has_value()) TRY_VOID(NameKeyInError(plain_->Listen(), "registry.http_listen"));
  return {};
}

void RegistryFront::Start() {
  following_.Spawn([this] { return certificate_.FollowUntilCancelled(); });
  server_.Start();
  if (plain_.has_value()) plain_->Start(redirect_port_ != 0 ? redirect_port_ : server_.port());
}

void RegistryFront::Stop(std::chrono::steady_clock::time_point deadline) {
  if (plain_.has_value()) plain_->Stop(deadline);
  server_.Stop(deadline);
  following_.Cancel();
  while (!following_.DrainBlocking(std::chrono::steady_clock::now() + kFileCheckTime)) {
    following_.Cancel();
  }
}

void RegistryFront::AddTo(Readiness& readiness) const {
  if (auto expired = certificate_.WhyExpired()) readiness.reasons.push_back(*std::move(expired));
  for (std::string& warning : certificate_.Warnings()) {
    readiness.warnings.push_back(std::move(warning));
  }
}

}  // namespace outport
