#include "registry/http/registry_config.h"

namespace outport {
namespace {

constexpr int64_t kMaxPort = 65535;

void ReadClientTrust(Settings& section, RegistryConfig& config) {
  const Result<ClientAuth> auth = ParseClientAuth(section.String("client_auth", "require"));
  if (auth.has_value()) {
    config.client_auth = *auth;
  } else {
    section.Complain("client_auth", auth.error().message);
  }
  config.client_authorities =
      section.AbsolutePath("client_authorities", "/etc/outport/tls/client-ca.pem");
  config.client_crls = section.AbsolutePath("client_crls", "/etc/outport/tls/client-crl.pem");
  if (config.client_auth == ClientAuth::kOff && !config.client_authorities.empty()) {
    section.Complain("client_authorities",
                     "means nothing while registry.client_auth is off: remove one of them");
  }
  if (config.client_authorities.empty() && !config.client_crls.empty()) {
    section.Complain("client_crls",
                     "needs registry.client_authorities, whose lists they are; the fleet's own "
                     "certificates are revoked by 'outportctl cert revoke'");
  }
}

}  // namespace

CertificateFiles RegistryConfig::Files(const std::filesystem::path& pki, const char* fleet) const {
  const bool fleets = certificate.empty();
  return {.certificate = fleets ? pki / "server.crt" : certificate,
          .key = fleets ? pki / "server.key" : key,
          .fleet = pki / fleet,
          .client_authorities = client_authorities,
          .client_crls = client_crls};
}

Result<LoadedCertificate> RegistryConfig::Load(const CertificateFiles& files) const {
  return LoadCertificate(files, {.trust = {.auth = client_auth}});
}

RegistryConfig ReadRegistryConfig(Settings& section) {
  RegistryConfig config;
  config.listen = section.Listen("listen", config.listen);
  ReadClientTrust(section, config);
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
