#include "registry/security/grants/access_directory.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

using std::chrono::system_clock;

std::vector<Grant> Grants(std::initializer_list<const char*> texts) {
  std::vector<Grant> grants;
  for (const char* text : texts) grants.push_back(*ParseGrant(text));
  return grants;
}

CertificateIdentity Certificate(const char* issuer_key_id, const char* serial) {
  CertificateIdentity identity;
  identity.issuer_key_id = issuer_key_id;
  identity.serial = serial;
  return identity;
}

const RepositoryName kTeam = *RepositoryName::Parse("team/app");
const RepositoryName kOther = *RepositoryName::Parse("other/app");

TEST(Rights, NeedOneGrantThatAllowsTheAction) {
  AccessDirectory directory;
  directory.Set({.name = "ci", .password_hash = "", .grants = Grants({"pull:**", "push:team/**"})});
  const Rights rights = directory.RightsOf(directory.Find("ci"), {});
  EXPECT_TRUE(rights.Allows(Action::kPull, kOther));
  EXPECT_TRUE(rights.Allows(Action::kPush, kTeam));
  EXPECT_FALSE(rights.Allows(Action::kPush, kOther));
  const auto denied = RequireGrant(rights, Action::kDelete, kTeam);
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code, ErrorCode::kDenied);
  EXPECT_EQ(denied.error().message,
            "user 'ci' has no grant to delete in 'team/app'; an administrator can give one");
}

TEST(Rights, CombineUserGroupsCertificateAndAnonymous) {
  AccessDirectory directory;
  directory.SetGrants({SubjectKind::kGroup, "team"}, Grants({"push:team/**"}));
  directory.SetGrants({SubjectKind::kCertificate, "ci-1"}, Grants({"delete:team/**"}));
  directory.SetGrants({SubjectKind::kAnonymous, {}}, Grants({"pull:other/**"}));
  directory.Set({.name = "ann",
                 .password_hash = "",
                 .grants = Grants({"pull:team/**"}),
                 .groups = {"team", "empty"}});
  const Rights rights = directory.RightsOf(directory.Find("ann"), "ci-1");
  const auto decides = [&](Action action, const RepositoryName& repository) {
    const auto rule = rights.Find(action, repository);
    return rule.has_value() ? ToString(rule->subject) : std::string();
  };
  EXPECT_EQ(decides(Action::kPull, kTeam), "user:ann");
  EXPECT_EQ(decides(Action::kPush, kTeam), "group:team");
  EXPECT_EQ(decides(Action::kDelete, kTeam), "certificate:ci-1");
  EXPECT_EQ(decides(Action::kPull, kOther), "anonymous");
  EXPECT_EQ(decides(Action::kPush, kOther), "");
  // Another certificate, or no membership of the group, gives no rights.
  EXPECT_FALSE(directory.RightsOf(directory.Find("ann"), "ci-2").Allows(Action::kDelete, kTeam));
}

TEST(Rights, WithoutALogin) {
  AccessDirectory directory;
  EXPECT_TRUE(directory.RightsOf(nullptr, "desktop").sources().empty());
  directory.SetGrants({SubjectKind::kAnonymous, {}}, Grants({"pull:other/**"}));
  const Rights anybody = directory.RightsOf(nullptr, "desktop");
  EXPECT_TRUE(anybody.Allows(Action::kPull, kOther));
  EXPECT_TRUE(anybody.anonymous());
  EXPECT_EQ(RequireGrant(anybody, Action::kPull, kTeam).error().code, ErrorCode::kUnauthorized);
  directory.SetGrants({SubjectKind::kCertificate, "desktop"}, Grants({"pull:team/**"}));
  const Rights certificate = directory.RightsOf(nullptr, "desktop");
  EXPECT_TRUE(certificate.Allows(Action::kPull, kTeam));
  EXPECT_FALSE(certificate.anonymous());
  EXPECT_EQ(RequireGrant(certificate, Action::kPush, kTeam).error().code, ErrorCode::kDenied);
}

TEST(AccessDirectory, SetsRemovesAndReplaces) {
  AccessDirectory directory;
  EXPECT_EQ(directory.Find("ci"), nullptr);
  directory.Set({"ci", "one", {}});
  const auto before = directory.Find("ci");
  directory.Set({"ci", "two", {}});
  EXPECT_EQ(before->password_hash, "one") << "a request in progress keeps its version";
  EXPECT_EQ(directory.Find("ci")->password_hash, "two");
  directory.SetGrants({SubjectKind::kGroup, "team"}, Grants({"push"}));
  directory.Revoke({"k", "1"});
  directory.ReplaceAll({.users = {{"ops", "three", {}}}, .grants = {}, .revoked = {{"k", "2"}}});
  EXPECT_EQ(directory.Find("ci"), nullptr);
  ASSERT_NE(directory.Find("ops"), nullptr);
  EXPECT_FALSE(directory.IsRevoked(Certificate("k", "1")));
  EXPECT_TRUE(directory.IsRevoked(Certificate("k", "2")));
  EXPECT_FALSE(directory.IsRevoked(Certificate("other", "2")));
  directory.Remove("ops");
  EXPECT_EQ(directory.Find("ops"), nullptr);
}

TEST(AccessDirectory, NotifiesOfEveryChange) {
  AccessDirectory directory;
  uint64_t seen = directory.Changed().Version();
  const auto notified = [&] {
    const bool changed = directory.Changed().Version() != seen;
    seen = directory.Changed().Version();
    return changed;
  };
  directory.Set({"ci", "one", {}});
  EXPECT_TRUE(notified());
  directory.SetGrants({SubjectKind::kGroup, "team"}, Grants({"push"}));
  EXPECT_TRUE(notified());
  directory.SetGrants({SubjectKind::kGroup, "team"}, {});
  EXPECT_TRUE(notified());
  directory.Revoke({"k", "1"});
  EXPECT_TRUE(notified());
  directory.Remove("ci");
  EXPECT_TRUE(notified());
  directory.ReplaceAll({});
  EXPECT_TRUE(notified());
  EXPECT_FALSE(notified());
}

TEST(User, MayLogInUnlessDisabledOrExpired) {
  const auto now = system_clock::now();
  User user{.name = "ci", .password_hash = ""};
  EXPECT_TRUE(CheckMayLogIn(user, "", now).has_value());
  user.expires = now + std::chrono::seconds(1);
  EXPECT_TRUE(CheckMayLogIn(user, "", now).has_value());
  user.expires = now;
  EXPECT_EQ(CheckMayLogIn(user, "", now).error().code, ErrorCode::kUnauthorized);
  EXPECT_NE(CheckMayLogIn(user, "", now).error().message.find("expired at"), std::string::npos);
  user.expires = std::nullopt;
  user.disabled = true;
  EXPECT_NE(CheckMayLogIn(user, "", now).error().message.find("is disabled"), std::string::npos);
}

TEST(User, LimitedToCertificatesNeedsOneOfThem) {
  const auto now = system_clock::now();
  User user{.name = "ci", .password_hash = "", .only_from = {"ci-*", "build"}};
  EXPECT_TRUE(CheckMayLogIn(user, "ci-1", now).has_value());
  EXPECT_TRUE(CheckMayLogIn(user, "build", now).has_value());
  const auto other = CheckMayLogIn(user, "laptop", now);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().code, ErrorCode::kDenied);
  EXPECT_EQ(other.error().message,
            "user 'ci' may log in only with a client certificate named 'ci-*', 'build'; the "
            "certificate that was sent is 'laptop'");
  EXPECT_FALSE(CheckMayLogIn(user, "", now).has_value());
  user.only_from.assign({"*"});
  EXPECT_TRUE(CheckMayLogIn(user, "laptop", now).has_value());
  EXPECT_FALSE(CheckMayLogIn(user, "foreign:laptop", now).has_value());
  user.only_from.assign({"foreign:lap*"});
  EXPECT_TRUE(CheckMayLogIn(user, "foreign:laptop", now).has_value());
  EXPECT_FALSE(CheckMayLogIn(user, "laptop", now).has_value());
}

}  // namespace
}  // namespace outport
