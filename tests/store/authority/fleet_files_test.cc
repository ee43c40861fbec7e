#include "store/authority/fleet_files.h"

#include <gtest/gtest.h>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"
#include "store/authority/authority_files.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {
namespace {

using std::chrono::days;

class FleetFilesTest : public testing::Test {
 protected:
  FleetFilesTest()
      : authority_(CreateAuthorityFiles(disk_, pki_, "outport", {"localhost"})->authority) {}

  std::string Chain() const { return *ReadWholeFile(pki_ / "server.crt"); }
  // Returns whether WriteFleetFiles() reissues the server certificate, so many days after its
  // beginning.
  bool Renews(days wall, std::optional<days> store = {}) {
    const std::string before = Chain();
    const auto begin = pki::ValidityOf(before)->begin;
    RenewalTime now{.wall = begin + wall};
    if (store.has_value()) now.store = begin + *store;
    EXPECT_TRUE(WriteFleetFiles(pki_, TrustStateOf(authority_), now).has_value());
    return Chain() != before;
  }

  TemporaryFolder folder_;
  PosixFileSystem disk_;
  const std::filesystem::path pki_ = folder_.path() / "pki";
  const pki::Authority authority_;
};

TEST_F(FleetFilesTest, RenewsAfterAThirdOfTheLifetime) {
  EXPECT_FALSE(Renews(days(1)));
  EXPECT_FALSE(Renews(days(121)));
  EXPECT_TRUE(Renews(days(122)));
}

TEST_F(FleetFilesTest, ReplacesACertificateThatAWrongClockMade) {
  EXPECT_TRUE(Renews(days(-1)));
  EXPECT_TRUE(Renews(days(-400)));
}

TEST_F(FleetFilesTest, WaitsWhileTheWallClockMayBeWrong) {
  EXPECT_FALSE(Renews(days(400), days(1))) << "the wall clock is far ahead";
  EXPECT_FALSE(Renews(days(200), days(199)));
  EXPECT_FALSE(Renews(days(-1), days(1))) << "the wall clock is behind";
  EXPECT_TRUE(Renews(days(-2), days(-1))) << "not valid yet by both clocks";
  EXPECT_FALSE(Renews(days(400), days(334)));
  EXPECT_TRUE(Renews(days(400), days(336))) << "the certificate must not expire meanwhile";
}

TEST_F(FleetFilesTest, KeepsTheKeyAndTheNames) {
  const std::string key = *ReadSecretFile(pki_ / "server.key");
  ASSERT_TRUE(Renews(days(122)));
  EXPECT_EQ(*ReadSecretFile(pki_ / "server.key"), key);
  EXPECT_TRUE(pki::CheckKeyPair(Chain(), key).has_value());
  EXPECT_EQ(*pki::HostNames(Chain()), (std::vector<std::string>{"localhost"}));
}

}  // namespace
}  // namespace outport::store
