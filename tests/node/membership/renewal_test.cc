#include "node/membership/renewal.h"

#include <gtest/gtest.h>

#include <set>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"
#include "tests/support/temporary_folder.h"

namespace outport::node {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;

// The certificates of a node that has just joined.
class RenewalTest : public testing::Test {
 protected:
  RenewalTest() {
    const pki::Authority authority = *pki::CreateAuthority("outport");
    const pki::LeafOptions options{
        .role = Role::kNode, .name = "eu-west", .lifetime = std::chrono::hours(1)};
    const auto issued =
        *pki::Issue(authority, *pki::CreateRequest(pki::CreatePrivateKey()), options);
    for (const char* file : {"identity.crt", "server.crt"}) {
      EXPECT_TRUE(ReplaceFile(folder_.path() / file,
                              issued.certificate + authority.issuing.certificate, 0644)
                      .has_value());
    }
    lifetime_ = *pki::Describe(issued.certificate);
  }

  TemporaryFolder folder_;
  pki::Description lifetime_;
};

// Nodes that started together must not renew together. Each renews after a third of its
// certificate's lifetime plus a jitter of up to a twentieth.
TEST_F(RenewalTest, SpreadsTheRenewalsOfAFleet) {
  constexpr int kNodes = 200;
  const SystemClock clock;
  BlockingPool pool("renewal", 1, 10);
  std::set<milliseconds> pauses;
  const duration<double> whole = lifetime_.not_after - lifetime_.not_before;
  for (int i = 0; i < kNodes; ++i) {
    Metrics metrics;
    Renewal renewal({.channel = nullptr,
                     .renewed = [] {},
                     .pki = folder_.path(),
                     .node = "eu-west",
                     .pool = pool,
                     .clock = clock,
                     .metrics = metrics,
                     .log = Log::Nowhere()});
    const auto before = clock.Wall();
    const milliseconds pause = renewal.Check();
    const duration<double> least = lifetime_.not_before + whole / 3 - clock.Wall();
    const duration<double> most = lifetime_.not_before + whole / 3 + whole / 20 - before;
    EXPECT_GE(pause, least - std::chrono::seconds(1));  // dates are whole seconds
    EXPECT_LE(pause, most + std::chrono::seconds(1));
    pauses.insert(std::chrono::floor<std::chrono::seconds>(pause));
  }
  const duration<double> spread = *pauses.rbegin() - *pauses.begin();
  EXPECT_GT(spread, whole / 40) << "half of the jitter";
  EXPECT_GT(pauses.size(), 20u);
  pool.Stop();
}

}  // namespace
}  // namespace outport::node
