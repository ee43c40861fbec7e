#include "registry/access/admission.h"

#include <gtest/gtest.h>

#include "tests/access/fixture.h"
#include "tests/support/test_name.h"

namespace outport {
namespace {

struct AuthenticateCase {
  const char* what;
  void (*arrange)(Fleet& fleet);
  const char* login;
  std::optional<ErrorCode> code;  // nullopt: the sender is authenticated
  const char* text;               // a part of the error, or the sender's name
};

constexpr auto kNothing = [](Fleet&) {};

void PrintTo(const AuthenticateCase& c, std::ostream* out) { *out << c.what; }

const AuthenticateCase kAuthentications[] = {
    {"a user", kNothing, "ann:secret", std::nullopt, "ann"},
    {"a user without grants", kNothing, "carol:secret", std::nullopt, "carol"},
    {"a wrong password", kNothing, "ann:wrong", ErrorCode::kUnauthorized,
     "the user name or the password is wrong"},
    {"an unknown user", kNothing, "mallory:secret", ErrorCode::kUnauthorized,
     "the user name or the password is wrong"},
    {"a disabled user",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.disabled = true; }); },
     "ann:secret", ErrorCode::kUnauthorized, "user 'ann' is disabled"},
    {"a user that is bound to another certificate",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.only_from = {"ci-*"}; }); },
     "ann:secret", ErrorCode::kDenied, "laptop"},
    {"no credentials", kNothing, "", ErrorCode::kUnauthorized, "log in first"},
    {"no credentials, with a grant to the certificate",
     [](Fleet& fleet) { fleet.Grant(SubjectKind::kCertificate, "laptop", "pull:team/**"); }, "",
     std::nullopt, "certificate:laptop"},
    {"no credentials, with a grant to another certificate",
     [](Fleet& fleet) { fleet.Grant(SubjectKind::kCertificate, "other", "pull:team/**"); }, "",
     ErrorCode::kUnauthorized, "log in first"},
    {"no credentials, with a grant to anonymous",
     [](Fleet& fleet) { fleet.Grant(SubjectKind::kAnonymous, "", "pull:team/**"); }, "",
     std::nullopt, ""},
    {"the login anonymous", kNothing, "anonymous:any", ErrorCode::kUnauthorized, "anonymous"},
    {"the login anonymous, with a grant to anonymous",
     [](Fleet& fleet) { fleet.Grant(SubjectKind::kAnonymous, "", "pull:team/**"); },
     "anonymous:any", std::nullopt, ""},
    {"a revoked certificate", [](Fleet& fleet) { fleet.Revoke(); }, "ann:secret",
     ErrorCode::kCertificateInvalid, "it was revoked"},
    {"an expired certificate", [](Fleet& fleet) { fleet.clock.Advance(std::chrono::hours(1)); },
     "ann:secret", ErrorCode::kCertificateInvalid, "it has expired"},
    {"no certificate",
     [](Fleet& fleet) { fleet.client.Identify(Error{ErrorCode::kCertificateInvalid, "none"}); },
     "ann:secret", ErrorCode::kCertificateInvalid, "none"},
    {"unknown revocations",
     [](Fleet& fleet) {
       fleet.revocations_known = Error{ErrorCode::kUnavailable, "revocations are not known"};
     },
     "ann:secret", ErrorCode::kUnavailable, "revocations are not known"},
    // Of two reasons, the first check decides.
    {"a revoked certificate before unknown revocations",
     [](Fleet& fleet) {
       fleet.Revoke();
       fleet.revocations_known = Error{ErrorCode::kUnavailable, "revocations are not known"};
     },
     "ann:wrong", ErrorCode::kCertificateInvalid, "it was revoked"},
    {"unknown revocations before a wrong password",
     [](Fleet& fleet) {
       fleet.revocations_known = Error{ErrorCode::kUnavailable, "revocations are not known"};
     },
     "ann:wrong", ErrorCode::kUnavailable, "revocations are not known"},
    {"a wrong password before a disabled user",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.disabled = true; }); },
     "ann:wrong", ErrorCode::kUnauthorized, "the user name or the password is wrong"},
};

class AuthenticateTest : public testing::TestWithParam<AuthenticateCase> {};

TEST_P(AuthenticateTest, Decides) {
  const AuthenticateCase& c = GetParam();
  Fleet fleet;
  c.arrange(fleet);
  const Result<Sender> sender = fleet.Authenticate(fleet.client, c.login);
  ASSERT_EQ(sender.has_value(), !c.code.has_value());
  if (sender.has_value()) {
    EXPECT_EQ(sender->name, c.text);
  } else {
    EXPECT_EQ(sender.error().code, *c.code);
    EXPECT_NE(sender.error().message.find(c.text), std::string::npos) << sender.error().message;
  }
}
INSTANTIATE_TEST_SUITE_P(Credentials, AuthenticateTest, testing::ValuesIn(kAuthentications),
                         kNameOfRow);

TEST(Authenticate, RejectsUnreadableCredentialsAfterTheCertificate) {
  Fleet fleet;
  EXPECT_EQ(fleet.AuthenticateField(fleet.client, "Bearer abc").error().code,
            ErrorCode::kUnauthorized);
  fleet.Revoke();
  EXPECT_EQ(fleet.AuthenticateField(fleet.client, "Bearer abc").error().code,
            ErrorCode::kCertificateInvalid);
}

TEST(Authenticate, ANodeRelaysOnlyForUsers) {
  Fleet fleet;
  fleet.Grant(SubjectKind::kCertificate, "laptop", "push");
  fleet.Grant(SubjectKind::kAnonymous, "", "push");
  EXPECT_TRUE(fleet.Authenticate(fleet.node, "ann:secret").has_value());
  for (const char* login : {"", "anonymous:any"}) {
    const Result<Sender> sender = fleet.Authenticate(fleet.node, login);
    ASSERT_FALSE(sender.has_value()) << login;
    EXPECT_EQ(sender.error().code, ErrorCode::kUnauthorized);
  }
}

TEST(Authenticate, I6ACertificateNameThatANodeAssertsCanDenyALogin) {
  Fleet fleet;
  fleet.Change("ann", [](User& user) { user.only_from = {"ci-*"}; });
  EXPECT_EQ(fleet.Authenticate(fleet.node, "ann:secret").error().code, ErrorCode::kDenied);
}

struct AdmitCase {
  const char* what;
  const char* login;
  Purpose purpose;
  std::optional<ErrorCode> code;  // nullopt: the sender is admitted
};

void PrintTo(const AdmitCase& c, std::ostream* out) { *out << c.what; }

const AdmitCase kAdmissions[] = {
    {"a granted action", "ann:secret", Access("team/app", Action::kPush), std::nullopt},
    {"an action that is not granted", "ann:secret", Access("team/app", Action::kDelete),
     ErrorCode::kDenied},
    {"a repository that is not granted", "ann:secret", Access("other/app", Action::kPull),
     ErrorCode::kDenied},
    {"no grants", "carol:secret", Access("team/app", Action::kPull), ErrorCode::kDenied},
    {"an anonymous pull that is granted", "", Access("open/app", Action::kPull), std::nullopt},
    {"an anonymous push", "", Access("open/app", Action::kPush), ErrorCode::kUnauthorized},
    {"the ping of a user", "carol:secret", PingAccess{}, std::nullopt},
    {"the ping without credentials", "", PingAccess{}, ErrorCode::kUnauthorized},
    {"the ping of the login anonymous", "anonymous:any", PingAccess{}, std::nullopt},
    {"the catalog", "carol:secret", CatalogAccess{}, std::nullopt},
    {"the catalog without credentials", "", CatalogAccess{}, std::nullopt},
};

class AdmitTest : public testing::TestWithParam<AdmitCase> {};

TEST_P(AdmitTest, Decides) {
  const AdmitCase& c = GetParam();
  Fleet fleet;
  fleet.Grant(SubjectKind::kAnonymous, "", "pull:open/**");
  Result<Sender> sender = fleet.Authenticate(fleet.client, c.login);
  ASSERT_TRUE(sender.has_value()) << sender.error().message;
  const Result<Admission> admission = Admit(*std::move(sender), c.purpose);
  ASSERT_EQ(admission.has_value(), !c.code.has_value());
  if (c.code.has_value()) EXPECT_EQ(admission.error().code, *c.code) << admission.error().message;
}
INSTANTIATE_TEST_SUITE_P(Purposes, AdmitTest, testing::ValuesIn(kAdmissions), kNameOfRow);

TEST(Admit, ACertificatesGrantsAddToTheUsers) {
  Fleet fleet;
  fleet.Grant(SubjectKind::kCertificate, "laptop", "pull:other/**");
  const Purpose purpose = Access("other/app", Action::kPull);
  EXPECT_TRUE(Admit(*fleet.Authenticate(fleet.client, "ann:secret"), purpose).has_value());
  EXPECT_EQ(Admit(*fleet.Authenticate(fleet.node, "ann:secret"), purpose).error().code,
            ErrorCode::kDenied)
      << "a node only asserts the certificate's name";
}

TEST(Admit, ANodesPermissionsBoundTheRights) {
  Fleet fleet;
  fleet.node.permissions = std::make_shared<const NodePermissions>(
      "node 'eu-west'", std::vector<Grant>{*ParseGrant("pull:team/**")});
  const Sender sender = *fleet.Authenticate(fleet.node, "ann:secret");
  const auto pull = Admit(sender, Access("team/app", Action::kPull));
  ASSERT_TRUE(pull.has_value()) << pull.error().message;
  EXPECT_FALSE(pull->rights().Allows(Action::kPush, *RepositoryName::Parse("team/app")));
  EXPECT_FALSE(Admit(sender, Access("team/app", Action::kPush)).has_value());
}

}  // namespace
}  // namespace outport
