#include "registry/access/credentials.h"

#include <gtest/gtest.h>

#include "registry/base/base64.h"

namespace outport {
namespace {

struct Field {
  std::string text;
  const char* user;  // nullptr: rejected
  const char* password;
};

TEST(ParseAuthorization, ReadsBasicStrictly) {
  const auto basic = [](std::string_view text) {
    return "Basic " + EncodeBase64(text, Base64::kStandard);
  };
  const Field kCases[] = {
      {basic("ci:secret"), "ci", "secret"},
      {"bASIC  Y2k6c2VjcmV0", "ci", "secret"},
      {basic("ci:a:b"), "ci", "a:b"},
      {basic("ci:"), "ci", ""},
      {basic(":secret"), nullptr, nullptr},
      {basic("ci"), nullptr, nullptr},
      {basic("ci:a\nb"), nullptr, nullptr},
      {"Basic", nullptr, nullptr},
      {"Basic ", nullptr, nullptr},
      {"Basic    ", nullptr, nullptr},
      {"Basic %%%%", nullptr, nullptr},
      {"Bearer abc", nullptr, nullptr},
      {basic(std::string(8000, 'a') + ":b"), nullptr, nullptr},
  };
  for (const Field& c : kCases) {
    SCOPED_TRACE(c.text.substr(0, 60));
    const auto credentials = ParseAuthorization(c.text);
    ASSERT_EQ(credentials.has_value(), c.user != nullptr);
    if (!credentials.has_value()) {
      EXPECT_EQ(credentials.error().code, ErrorCode::kUnauthorized);
      continue;
    }
    const auto* login = std::get_if<PasswordCredentials>(&*credentials);
    ASSERT_NE(login, nullptr);
    EXPECT_EQ(login->user, c.user);
    EXPECT_EQ(login->password.text(), c.password);
  }
}

TEST(ParseAuthorization, FindsNoCredentialsInAnEmptyField) {
  for (const char* field : {"", "Basic Og==", "basic Og=="}) {
    const auto credentials = ParseAuthorization(field);
    ASSERT_TRUE(credentials.has_value()) << field;
    EXPECT_TRUE(std::holds_alternative<NoCredentials>(*credentials)) << field;
  }
}

TEST(ChallengeOf, AsksForAPasswordIfCredentialsAreMissingOrWrong) {
  EXPECT_EQ(ChallengeOf(Error{ErrorCode::kUnauthorized, ""}), "Basic realm=\"outport\"");
  for (const ErrorCode code : {ErrorCode::kDenied, ErrorCode::kCertificateInvalid,
                               ErrorCode::kTooManyRequests, ErrorCode::kUnavailable}) {
    EXPECT_EQ(ChallengeOf(Error{code, ""}), std::nullopt);
  }
}

}  // namespace
}  // namespace outport
