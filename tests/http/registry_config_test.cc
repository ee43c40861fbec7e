#include "registry/http/registry_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outport {
namespace {

Result<RegistryConfig> Read(const std::string& section) {
  TRY(Settings settings, Settings::Parse("registry: {" + section + "}\n", "o.yml"));
  Settings registry = settings.Section("registry");
  RegistryConfig config = ReadRegistryConfig(registry);
  TRY_VOID(settings.Finish());
  return config;
}

TEST(RegistryConfig, HasDefaults) {
  const auto config = Read("");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->listen, "0.0.0.0:5000");
  EXPECT_EQ(config->http_listen, "");
  EXPECT_EQ(config->client_auth, ClientAuth::kRequire);
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").client_ca, "");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").certificate, "/d/pki/server.crt");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").key, "/d/pki/server.key");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").fleet, "/d/pki/trusted.crt");
}

TEST(RegistryConfig, ReadsEveryKey) {
  const auto config = Read(
      "listen: \"0.0.0.0:443\", certificate: /t/fullchain.pem, key: /t/privkey.pem, "
      "http_listen: \"0.0.0.0:80\", acme_webroot: /w, redirect_port: 8443, "
      "client_auth: optional, client_ca: /t/ca.pem, client_crl: /t/crl.pem");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->listen, "0.0.0.0:443");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").certificate, "/t/fullchain.pem");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").key, "/t/privkey.pem");
  EXPECT_EQ(config->http_listen, "0.0.0.0:80");
  EXPECT_EQ(config->acme_webroot, "/w");
  EXPECT_EQ(config->redirect_port, 8443);
  EXPECT_EQ(config->client_auth, ClientAuth::kOptional);
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").client_ca, "/t/ca.pem");
  EXPECT_EQ(config->Files("/d/pki", "trusted.crt").client_crl, "/t/crl.pem");
}

TEST(RegistryConfig, I12SaysWhatIsWrong) {
  struct Case {
    const char* section;
    const char* problem;
  };
  constexpr Case kCases[] = {
      {"certificate: /t/c.pem", "set both registry.certificate and registry.key"},
      {"key: /t/k.pem", "set both registry.certificate and registry.key"},
      {"certificate: c.pem, key: /t/k.pem", "'registry.certificate': must be an absolute path"},
      {"client_auth: maybe", "'maybe' must be require, strict, optional or off"},
      {"client_auth: \"off\", client_ca: /t/ca.pem", "has no effect while"},
      {"client_crl: /t/crl.pem", "needs registry.client_ca, the CA of these lists"},
      {"client_ca: ca.pem", "'registry.client_ca': must be an absolute path"},
      {"acme_webroot: /w", "needs registry.http_listen"},
      {"redirect_port: 443", "needs registry.http_listen"},
      {"http_listen: \"0.0.0.0:5000\"", "is already used by 'registry.listen'"},
      {"http_listen: \"example.com:80\"", "is a host name"},
      {"http_listen: \"0.0.0.0:80\", redirect_port: 70000", "redirect_port"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.section);
    const auto config = Read(c.section);
    ASSERT_FALSE(config.has_value());
    EXPECT_THAT(config.error().message, testing::HasSubstr("o.yml:1"));
    EXPECT_THAT(config.error().message, testing::HasSubstr(c.problem));
  }
}

}  // namespace
}  // namespace outport
