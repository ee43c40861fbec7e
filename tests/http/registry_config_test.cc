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

TEST(RegistryConfig, SaysNothingByItself) {
  const auto config = Read("");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->listen, "0.0.0.0:5000");
  EXPECT_EQ(config->plain_listen, "");
  EXPECT_EQ(config->Files("/d/pki").certificate, "/d/pki/server.crt");
  EXPECT_EQ(config->Files("/d/pki").key, "/d/pki/server.key");
}

TEST(RegistryConfig, ReadsEveryKey) {
  const auto config = Read(
      "listen: \"0.0.0.0:443\", certificate: /t/fullchain.pem, key: /t/privkey.pem, "
      "plain_listen: \"0.0.0.0:80\", acme_webroot: /w, redirect_port: 8443");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->listen, "0.0.0.0:443");
  EXPECT_EQ(config->Files("/d/pki").certificate, "/t/fullchain.pem");
  EXPECT_EQ(config->Files("/d/pki").key, "/t/privkey.pem");
  EXPECT_EQ(config->plain_listen, "0.0.0.0:80");
  EXPECT_EQ(config->acme_webroot, "/w");
  EXPECT_EQ(config->redirect_port, 8443);
}

TEST(RegistryConfig, I12SaysWhatIsWrong) {
  struct Case {
    const char* section;
    const char* problem;
  };
  constexpr Case kCases[] = {
      {"certificate: /t/c.pem", "registry.certificate and registry.key name a pair"},
      {"key: /t/k.pem", "registry.certificate and registry.key name a pair"},
      {"certificate: c.pem, key: /t/k.pem", "'registry.certificate': must be an absolute path"},
      {"acme_webroot: /w", "needs registry.plain_listen"},
      {"redirect_port: 443", "needs registry.plain_listen"},
      {"plain_listen: \"0.0.0.0:5000\"", "is taken by 'registry.listen'"},
      {"plain_listen: \"example.com:80\"", "names a host"},
      {"plain_listen: \"0.0.0.0:80\", redirect_port: 70000", "redirect_port"},
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
