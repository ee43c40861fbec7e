#include "registry/http/registry_config.h"

namespace outport {
namespace {

constexpr int64_t kMaxPort = 65535;

}  // namespace

CertificateFiles RegistryConfig::Files(const std::filesystem::path& pki) const {
  if (certificate.empty()) return {pki / "server.crt", pki / "server.key"};
  return {certificate, key};
}

RegistryConfig ReadRegistryConfig(Settings& section) {
  RegistryConfig config;
  config.listen = section.Listen("listen", config.listen);
  config.certificate = section.AbsolutePath("certificate", "/etc/outport/tls/fullchain.pem");
  config.key = section.AbsolutePath("key", "/etc/outport/tls/privkey.pem");
  if (config.certificate.empty() != config.key.empty()) {
    section.Complain(config.key.empty() ? "certificate" : "key",
                     "needs the other one, too: registry.certificate and registry.key name a pair");
  }
  config.plain_listen = section.Listen("plain_listen", "");
  config.acme_webroot = section.AbsolutePath("acme_webroot", "/var/lib/outport/acme");
  config.redirect_port = section.Integer("redirect_port", config.redirect_port, 0, kMaxPort);
  if (config.plain_listen.empty() && !config.acme_webroot.empty()) {
    section.Complain("acme_webroot", "needs registry.plain_listen, the port that serves it");
  }
  if (config.plain_listen.empty() && config.redirect_port != 0) {
    section.Complain("redirect_port", "needs registry.plain_listen, the port that redirects");
  }
  return config;
}

}  // namespace outport
