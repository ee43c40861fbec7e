#include <gtest/gtest.h>

#include "registry/access/admission.h"
#include "tests/access/fixture.h"
#include "tests/support/test_name.h"

namespace outport {
namespace {

// A change that ends access. Every row is made twice: while the password is verified, and while the
// request is in progress.
struct Change {
  const char* what;
  void (*change)(Fleet& fleet);
  ErrorCode during_verification;
  ErrorCode during_request;
  bool ends_idle = true;  // ends the access of a sender between two requests, too
};

void PrintTo(const Change& c, std::ostream* out) { *out << c.what; }

const Change kChanges[] = {
    {"the certificate is revoked", [](Fleet& fleet) { fleet.Revoke(); },
     ErrorCode::kCertificateInvalid, ErrorCode::kCertificateInvalid},
    {"the certificate expires", [](Fleet& fleet) { fleet.clock.Advance(std::chrono::hours(1)); },
     ErrorCode::kCertificateInvalid, ErrorCode::kCertificateInvalid},
    {"the certificate's authority is no longer trusted",
     [](Fleet& fleet) {
       fleet.client.Identify(Error{ErrorCode::kCertificateInvalid, "unknown authority"});
     },
     ErrorCode::kCertificateInvalid, ErrorCode::kCertificateInvalid},
    {"the user is removed", [](Fleet& fleet) { fleet.directory.Remove("ann"); },
     ErrorCode::kUnauthorized, ErrorCode::kUnauthorized},
    {"the user is disabled",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.disabled = true; }); },
     ErrorCode::kUnauthorized, ErrorCode::kUnauthorized},
    {"the user's password changes",
     [](Fleet& fleet) {
       fleet.Change("ann", [](User& user) { user.password_hash = *HashPassword("other", 4); });
     },
     ErrorCode::kUnauthorized, ErrorCode::kUnauthorized},
    {"the user is bound to another certificate",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.only_from = {"ci-*"}; }); },
     ErrorCode::kDenied, ErrorCode::kDenied},
    {"the grant is removed",
     [](Fleet& fleet) { fleet.Change("ann", [](User& user) { user.grants.clear(); }); },
     ErrorCode::kDenied, ErrorCode::kDenied, /*ends_idle=*/false},
};

class RecheckTest : public testing::TestWithParam<Change> {
 protected:
  const Purpose purpose_ = Access("team/app", Action::kPush);
  Fleet fleet_;
};

TEST_P(RecheckTest, I6AChangeDuringTheVerificationIsSeen) {
  Result<Sender> sender =
      fleet_.AuthenticateDuring(fleet_.client, "ann:secret", [this] { GetParam().change(fleet_); });
  const Result<Admission> admission =
      sender.has_value() ? Admit(*std::move(sender), purpose_) : sender.error();
  ASSERT_FALSE(admission.has_value());
  EXPECT_EQ(admission.error().code, GetParam().during_verification) << admission.error().message;
}

TEST_P(RecheckTest, I6AChangeDuringTheRequestIsSeen) {
  Result<Sender> sender = fleet_.Authenticate(fleet_.client, "ann:secret");
  ASSERT_TRUE(sender.has_value()) << sender.error().message;
  const Result<Admission> admission = Admit(*sender, purpose_);
  ASSERT_TRUE(admission.has_value()) << admission.error().message;
  EXPECT_TRUE(admission->Recheck().has_value());
  EXPECT_TRUE(sender->Recheck().has_value());
  GetParam().change(fleet_);
  const Result<void> again = admission->Recheck();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, GetParam().during_request) << again.error().message;
  EXPECT_EQ(sender->Recheck().has_value(), !GetParam().ends_idle);
}
INSTANTIATE_TEST_SUITE_P(Changes, RecheckTest, testing::ValuesIn(kChanges), kNameOfRow);

TEST(Recheck, UnknownRevocationsEndRequestsOnly) {
  Fleet fleet;
  const Sender sender = *fleet.Authenticate(fleet.client, "ann:secret");
  const Admission admission = *Admit(sender, PingAccess{});
  fleet.revocations_known = Error{ErrorCode::kUnavailable, "revocations are not known"};
  EXPECT_EQ(admission.Recheck().error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(sender.Recheck().has_value()) << "between requests nothing is given away";
}

TEST(Recheck, ANodeThatIsRemovedEndsWhatItRelays) {
  Fleet fleet;
  const Admission admission =
      *Admit(*fleet.Authenticate(fleet.node, "ann:secret"), Access("team/app", Action::kPush));
  EXPECT_TRUE(admission.Recheck().has_value());
  fleet.node.permissions = Error{ErrorCode::kUnavailable, "the node is not a member"};
  EXPECT_EQ(admission.Recheck().error().code, ErrorCode::kUnavailable);
}

TEST(Recheck, ANodesNewPermissionsBoundTheRights) {
  Fleet fleet;
  const Admission admission =
      *Admit(*fleet.Authenticate(fleet.node, "ann:secret"), Access("team/app", Action::kPush));
  fleet.node.permissions = std::make_shared<const NodePermissions>(
      "node 'eu-west'", std::vector<Grant>{*ParseGrant("pull:team/**")});
  EXPECT_FALSE(admission.Recheck().has_value());
}

TEST(Recheck, IdentityOfAnUnchangedSenderStays) {
  Fleet fleet;
  const Admission admission = *Admit(*fleet.Authenticate(fleet.client, "ann:secret"), PingAccess{});
  fleet.Change("carol", [](User& user) { user.disabled = true; });
  fleet.directory.Revoke({fleet.laptop.issuer_key_id, "another serial"});
  EXPECT_TRUE(admission.Recheck().has_value());
}

}  // namespace
}  // namespace outport
