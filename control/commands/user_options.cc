#include "control/commands/user_options.h"

#include <openssl/crypto.h>

#include <chrono>
#include <ctime>
#include <ostream>

#include "control/console/new_password.h"
#include "registry/base/clock.h"
#include "registry/base/settings.h"
#include "registry/security/password/password.h"

namespace outport::control {
namespace {

constexpr int kMinCost = 8;  // with a lower cost, a stolen hash reveals the password too cheaply
constexpr int kMaxCost = 15;

}  // namespace

void AddPasswordOptions(const Command& command, PasswordOptions& options) {
  command.AddFlag("--generate", options.generate,
                  "Generate a strong password and print it once, instead of prompting for one");
  command
      .AddOption(
          "--cost", options.cost,
          "Cost of the bcrypt hash; each step doubles the work to verify or guess the password")
      .Between(kMinCost, kMaxCost)
      .ShowDefault();
}

Result<NewPassword> MakePassword(const Invocation& invocation, const PasswordOptions& options) {
  NewPassword made;
  std::string password;
  if (options.generate) {
    password = made.generated = GeneratePassword();
  } else {
    TRY(password, ReadNewPassword(invocation.streams.input, invocation.streams.err));
  }
  Result<std::string> hash = HashPassword(password, options.cost);
  OPENSSL_cleanse(password.data(), password.size());
  if (!hash.has_value()) return std::move(hash).error();
  made.hash = *std::move(hash);
  return made;
}

void PrintWithPassword(const Invocation& invocation, boost::json::object document,
                       const std::string& text, const NewPassword& password) {
  if (password.generated.empty()) return invocation.Print(document, text);
  document["password"] = password.generated;
  invocation.Print(document, password.generated);
  if (invocation.json()) return;
  invocation.streams.err << text << "; the password is not shown again\n";
}

Result<int64_t> ParseExpiry(const std::string& text) {
  if (text == "never") return int64_t{0};
  const auto now = std::chrono::system_clock::now();
  std::tm date{};
  const char* end = ::strptime(text.c_str(), "%Y-%m-%d", &date);
  if (end != nullptr && *end == '\0') {
    const auto until =
        std::chrono::system_clock::from_time_t(::timegm(&date)) + std::chrono::days(1);
    if (until > now) return ToUnixMillis(until);
    return Error{ErrorCode::kInvalidArgument, "'" + text + "' is in the past"};
  }
  const auto lifetime = ParseDuration(text);
  if (lifetime.has_value() && lifetime->count() > 0) return ToUnixMillis(now + *lifetime);
  return Error{ErrorCode::kInvalidArgument,
               "'" + text + "' is not an expiry; use 90d, 2027-01-31 or never"};
}

Result<v1::Grant> ParseGrantOption(const std::string& text, SubjectKind kind) {
  TRY(const Grant grant, ParseGrant(text));
  TRY_VOID(CheckGrant(grant, kind));
  v1::Grant record;
  for (const Action action : grant.actions) record.add_actions(std::string(ToString(action)));
  record.set_pattern(grant.pattern);
  return record;
}

std::string ToText(const v1::Grant& grant) {
  std::string text;
  for (const std::string& action : grant.actions()) text += (text.empty() ? "" : ",") + action;
  return text + ":" + grant.pattern();
}

}  // namespace outport::control
