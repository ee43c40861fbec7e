#include "registry/http/registry_config.h"

namespace outport {
namespace {

constexpr int64_t kMaxPort = 65535;

void ReadClientTrust(Settings& section, RegistryConfig& config) {
  section.Renamed("client_authorities", "client_ca");
  section.Renamed("client_crls", "client_crl");
  const Result<ClientAuth> auth = ParseClientAuth(section.String("client_auth", "require"));
  if (auth.has_value()) {
    config.client_auth = *auth;
  } else {
    section.AddProblem("client_auth", auth.error().message);
  }
  config.client_ca = section.AbsolutePath("client_ca", "/etc/outport/tls/client-ca.pem");
  config.client_crl = section.AbsolutePath("client_crl", "/etc/outport/tls/client-crl.pem");
  if (config.client_auth == ClientAuth::kOff && !config.client_ca.empty()) {
    section.AddProblem(
        "client_ca", "has no effect while registry.client_auth is off; remove one of the two keys");
  }
  if (config.client_ca.empty() && !config.client_crl.empty()) {
    section.AddProblem(
        "client_crl",
        "needs registry.client_ca, the CA of these lists; to revoke a certificate of the "
        "fleet, use 'outportctl cert revoke'");
  }
}

}  // namespace

CertificateFiles RegistryConfig::Files(const std::filesystem::path& pki, const char* fleet) const {
  const bool fleets = certificate.empty();
  return {.certificate = fleets ? pki / "server.crt" : certificate,
          .key = fleets ? pki / "server.key" : key,
          .fleet = pki / fleet,
          .client_ca = client_ca,
          .client_crl = client_crl};
}

Result<LoadedCertificate> RegistryConfig::Load(const CertificateFiles& files,
                                               const std::string& domain) const {
  return LoadCertificate(files, {.trust = {.auth = client_auth, .domain = domain}});
}

RegistryConfig ReadRegistryConfig(Settings& section) {
  RegistryConfig config;
  config.listen = section.Listen("listen", config.listen);
  ReadClientTrust(section, config);
  config.certificate = section.AbsolutePath("certificate", "/etc/outport/tls/fullchain.pem");
  config.key = section.AbsolutePath("key", "/etc/outport/tls/privkey.pem");
  if (config.certificate.empty() != config.key.empty()) {
    section.AddProblem(
        config.key.empty() ? "certificate" : "key",
        "needs the other key of the pair; set both registry.certificate and registry.key");
  }
  section.Renamed("plain_listen", "http_listen");
  config.http_listen = section.Listen("http_listen", "");
  config.acme_webroot = section.AbsolutePath("acme_webroot", "/var/lib/outport/acme");
  config.redirect_port = section.Integer("redirect_port", config.redirect_port, 0, kMaxPort);
  if (config.http_listen.empty() && !config.acme_webroot.empty()) {
    section.AddProblem("acme_webroot",
                       "needs registry.http_listen, the port that serves this folder");
  }
  if (config.http_listen.empty() && config.redirect_port != 0) {
    section.AddProblem("redirect_port", "needs registry.http_listen, the port that redirects");
  }
  return config;
}

}  // namespace outport
