#include "registry/access/holder.h"

#include <gtest/gtest.h>

#include "tests/access/fixture.h"

namespace outport {
namespace {

std::string HolderOfLogin(Fleet& fleet, const Peer& peer, std::string_view login) {
  const Result<Sender> sender = fleet.Authenticate(peer, login);
  return sender.has_value() ? ToString(HolderOf(*sender)) : sender.error().message;
}

Holder HolderOfNobody(const Peer& peer) {
  return HolderOf(
      {.gate = nullptr, .peer = &peer, .user = nullptr, .password = nullptr, .name = {}});
}

TEST(HolderOf, AUserHoldsUnderTheUsersNameWhereverTheRequestComesFrom) {
  Fleet fleet;
  EXPECT_EQ(HolderOfLogin(fleet, fleet.client, "ann:secret"), "user:ann");
  EXPECT_EQ(HolderOfLogin(fleet, fleet.node, "ann:secret"), "user:ann");
}

TEST(HolderOf, WithoutAUserTheVerifiedCertificateHolds) {
  Fleet fleet;
  fleet.Grant(SubjectKind::kCertificate, "laptop", "pull");
  EXPECT_EQ(HolderOfLogin(fleet, fleet.client, ""), "certificate:laptop");
}

TEST(HolderOf, AnAnonymousSenderIsItsCertificate) {
  Fleet fleet;
  fleet.Grant(SubjectKind::kAnonymous, "", "pull");
  EXPECT_EQ(HolderOfLogin(fleet, fleet.client, "anonymous:any"), "certificate:laptop");
}

TEST(HolderOf, WithoutANameTheNetworkHolds) {
  Fleet fleet;
  const ClientPeer client(fleet.directory, fleet.clock, "2001:db8:1:2:3:4:5:6");
  EXPECT_EQ(ToString(HolderOfNobody(client)), "network:2001:db8:1:2::");
}

TEST(HolderOf, ACertificateThatANodeOnlyAssertsIsNoHolder) {
  Fleet fleet;
  EXPECT_EQ(ToString(HolderOfNobody(fleet.node)), "node:eu-west");
}

}  // namespace
}  // namespace outport
