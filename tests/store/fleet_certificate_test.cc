#include "store/fleet_certificate.h"

#include "registry/base/file.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

using std::chrono::days;

class FleetCertificateTest : public FleetServerFixture {
 protected:
  FleetCertificateTest() { EXPECT_TRUE(fleet_.Load()); }

  std::filesystem::path pki() const { return folder_.path() / "pki"; }
  std::string Chain() const { return *ReadWholeFile(pki() / "server.crt"); }
  // A rotation whose store clock disagrees with the wall clock.
  Rotation::Parts InDoubt() {
    return {.meta = *meta_,
            .authorities = fleet_.authorities,
            .follower = fleet_.follower,
            .nodes = nodes_,
            .files = disk_,
            .clock = clock_,
            .log = Log::Nowhere(),
            .pki = pki(),
            .domain = "outport",
            .store_time_in_doubt = [] { return SystemClock().Wall(); }};
  }
  Readiness Reported(Rotation& rotation) {
    FleetCertificate certificate({.rotation = rotation,
                                  .clock = clock_,
                                  .log = Log::Nowhere(),
                                  .pki = pki(),
                                  .chain = Chain()});
    certificate.Renew();
    Readiness readiness;
    certificate.Report(readiness);
    return readiness;
  }
};

TEST_F(FleetCertificateTest, AStartWithAWrongClockKeepsTheCertificate) {
  const std::string before = Chain();
  clock_.Advance(days(400));
  Rotation in_doubt(InDoubt());
  ASSERT_TRUE(in_doubt.Recover().has_value());
  EXPECT_EQ(Reported(in_doubt).reasons.size(), 1U) << "it has expired by the wall clock";
  EXPECT_EQ(Chain(), before);
  clock_.Advance(days(-400));
  EXPECT_TRUE(Reported(in_doubt).reasons.empty()) << "the clock is right again";
  EXPECT_EQ(Chain(), before);
}

TEST_F(FleetCertificateTest, ReportsThatItIsNotValidYet) {
  ASSERT_TRUE(rotation_.Recover().has_value());
  EXPECT_TRUE(Reported(rotation_).reasons.empty());
  clock_.Advance(days(-1));
  Rotation in_doubt(InDoubt());
  const Readiness readiness = Reported(in_doubt);
  ASSERT_EQ(readiness.reasons.size(), 1U);
  EXPECT_TRUE(readiness.reasons[0].contains("certificate is not valid before"));
}

TEST_F(FleetCertificateTest, AStartReplacesACertificateOfTheFuture) {
  const std::string before = Chain();
  clock_.Advance(days(-1));
  ASSERT_TRUE(rotation_.Recover().has_value());
  EXPECT_NE(Chain(), before);
}

}  // namespace
}  // namespace outport::store
