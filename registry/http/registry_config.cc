#include "registry/http/registry_config.h"

namespace outport {
namespace {

constexpr int64_t kMaxPort = 65535;

std::filesystem::path Path(Settings& section, const std::string& key, const std::string& example) {
  const std::filesystem::path path = section.String(key, "");
  if (!path.empty() && !path.is_absolute()) {
    section.Complain(key, "must be an absolute path: " + example);
  }
  return path;
}

}  // namespace

CertificateFiles RegistryConfig::Files(const std::filesystem::path& pki) const {
  if (certificate.empty()) return {pki / "server.crt", pki / "server.key"};
  return {certificate, key};
}

RegistryConfig ReadRegistryConfig(Settings& section) {
  RegistryConfig config;
  config.listen = section.Listen("listen", config.listen);
  config.certificate = Path(section, "certificate", "/etc/outport/tls/fullchain.pem");
  config.key = Path(section, "key", "/etc/outport/tls/privkey.pem");
  if (config.certificate.empty() != config.key.empty()) {
    section.Complain(config.key.empty() ? "certificate" : "key",
                     "needs the other one, too: registry.certificate and registry.key name a pair");
  }
  config.plain_listen = section.Listen("plain_listen", "");
  config.acme_webroot = Path(section, "acme_webroot", "/var/lib/outport/acme");
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
