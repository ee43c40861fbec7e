#include "registry/security/tls/client_trust.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <vector>

#include "registry/security/pki/pki.h"
#include "tests/security/tls/certificate_maker.h"

namespace outport {
namespace {

using std::chrono::hours;
using std::chrono::system_clock;

constexpr char kDesktop[] = "URI:spiffe://outport/client/desktop";

// The fleet's authority and a foreign two-tier authority, made once.
struct World {
  pki::Authority fleet = *pki::CreateAuthority("outport");
  Made fleet_issuing{std::move(openssl::ReadCertificates(fleet.issuing.certificate)->front()),
                     *openssl::ReadPrivateKey(fleet.issuing.private_key)};
  Made root = Make({.common_name = "Foreign root", .authority = true});
  Made issuing = Make({.common_name = "Foreign issuing", .authority = true}, &root);
  Made stranger = Make({.common_name = "Stranger", .authority = true});
  Made weak = Make({.common_name = "Weak root", .key = "1024", .authority = true});
  Made revoked = Make({.common_name = "revoked"}, &issuing);

  static const World& Get() {
    static const World kWorld;
    return kWorld;
  }
  std::string Own() const { return fleet.root.certificate + fleet.issuing.certificate; }
  ClientTrustOptions Options() const {
    return {.fleet = Own(),
            .foreign = root.pem() + issuing.pem() + weak.pem(),
            .lists = MakeList(issuing, {&revoked})};
  }
};

std::string Judged(const ClientTrust& trust, const Made& leaf, const Made* sent = nullptr) {
  STACK_OF(X509)* chain = sk_X509_new_null();
  if (sent != nullptr) sk_X509_push(chain, sent->certificate.get());
  const auto identity = trust.Identify(leaf.certificate.get(), chain, system_clock::now());
  sk_X509_free(chain);
  return identity.has_value() ? identity->name : identity.error().message;
}

struct Row {
  const char* what;
  Wanted wanted;
  const Made* issuer;
  const Made* sent;              // sent with the leaf
  const char* name;              // the holder; nullptr: rejected
  const char* reason = nullptr;  // a part of the error text
};

std::vector<Row> RowsOfTheFleet(const World& world) {
  const Made* fleet = &world.fleet_issuing;
  return {
      {"of the fleet", {.common_name = "x", .names = kDesktop}, fleet, fleet, "desktop"},
      {"of the fleet, alone", {.common_name = "x", .names = kDesktop}, fleet, nullptr, "desktop"},
      {"of the fleet, RSA", {"x", "2048", "clientAuth", kDesktop}, fleet, fleet, "desktop"},
      {"of the fleet, P-384", {"x", "P-384", "clientAuth", kDesktop}, fleet, fleet, "desktop"},
      {"unknown authority",
       {.common_name = "x", .names = kDesktop},
       &world.stranger,
       &world.stranger,
       nullptr,
       "unknown authority"},
      {"signed by itself",
       {.common_name = "x", .names = kDesktop},
       nullptr,
       nullptr,
       nullptr,
       "unknown authority"},
      {"of the fleet, for servers",
       {"x", "P-256", "serverAuth", kDesktop},
       fleet,
       fleet,
       nullptr,
       "extended key usage"},
      {"of the fleet, for anything",
       {"x", "P-256", nullptr, kDesktop},
       fleet,
       fleet,
       nullptr,
       "extended key usage"},
      {"of the fleet, naming nobody",
       {.common_name = "x"},
       fleet,
       fleet,
       nullptr,
       "exactly one spiffe:// name"},
      {"a node's",
       {.common_name = "x", .names = "URI:spiffe://outport/node/eu-west"},
       fleet,
       fleet,
       nullptr,
       "role 'node'"},
      {"an administrator's",
       {.common_name = "x", .names = "URI:spiffe://outport/admin/anna"},
       fleet,
       fleet,
       nullptr,
       "role 'admin'"},
  };
}

// Certificates that a revocation of their issuer would not match.
std::vector<Row> RowsOfUnclearIssuers(const World& world) {
  const Made* fleet = &world.fleet_issuing;
  return {
      {"of the fleet, not saying by which key",
       {.common_name = "x", .names = kDesktop, .issuer_key = nullptr},
       fleet,
       fleet,
       nullptr,
       "authority key identifier"},
      {"of the fleet, naming its issuer otherwise",
       {.common_name = "x", .names = kDesktop, .issuer_key = "issuer:always"},
       fleet,
       fleet,
       nullptr,
       "authority key identifier"},
  };
}

std::vector<Row> RowsOfOthers(const World& world) {
  const Made* foreign = &world.issuing;
  return {
      {"of a foreign authority", {.common_name = "build-7"}, foreign, foreign, "foreign:build-7"},
      {"no usage says any", {"build-7", "P-256", nullptr}, foreign, foreign, "foreign:build-7"},
      {"of its root", {.common_name = "build-7"}, &world.root, nullptr, "foreign:build-7"},
      {"a foreign one that claims to be of the fleet",
       {.common_name = "build-7", .names = kDesktop},
       foreign,
       foreign,
       "foreign:build-7"},
      {"no intermediate came",
       {.common_name = "build-7"},
       foreign,
       nullptr,
       nullptr,
       "unknown authority"},
      {"expired",
       {.common_name = "b", .from = hours(-2), .until = hours(-1)},
       foreign,
       foreign,
       nullptr,
       "has expired"},
      {"not yet valid",
       {.common_name = "b", .from = hours(1), .until = hours(2)},
       foreign,
       foreign,
       nullptr,
       "not yet valid"},
      {"for servers",
       {"b", "P-256", "serverAuth"},
       foreign,
       foreign,
       nullptr,
       "extended key usage"},
      {"RSA of 1024 bits", {"b", "1024"}, foreign, foreign, nullptr, "too weak"},
      {"P-224", {"b", "P-224"}, foreign, foreign, nullptr, "key is not accepted"},
      {"Ed25519", {"b", "ED25519"}, foreign, foreign, nullptr, "key is not accepted"},
      {"a weak authority", {.common_name = "b"}, &world.weak, nullptr, nullptr, "too weak"},
      {"no common name", {.common_name = ""}, foreign, foreign, nullptr, "common name"},
      {"a common name of two words",
       {.common_name = "a b"},
       foreign,
       foreign,
       nullptr,
       "common name"},
      {"a common name with a line feed",
       {.common_name = "a\nb"},
       foreign,
       foreign,
       nullptr,
       "common name"},
  };
}

TEST(ClientTrust, I6IdentifiesTheHolderOrExplainsTheRejection) {
  const World& world = World::Get();
  const auto trust = ClientTrust::Create({.fleet = world.Own(),
                                          .foreign = world.root.pem() + world.weak.pem(),
                                          .lists = MakeList(world.root, {})});
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  std::vector<Row> rows = RowsOfTheFleet(world);
  for (const auto& more : {RowsOfUnclearIssuers(world), RowsOfOthers(world)}) {
    rows.insert(rows.end(), more.begin(), more.end());
  }
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const std::string judged = Judged(*trust, Make(row.wanted, row.issuer), row.sent);
    if (row.name != nullptr) {
      EXPECT_EQ(judged, row.name);
    } else {
      EXPECT_TRUE(judged.starts_with("The SSL certificate is not accepted: ")) << judged;
      EXPECT_TRUE(judged.contains(row.reason)) << judged;
    }
  }
}

TEST(ClientTrust, I6ARevocationListRejectsACertificate) {
  const World& world = World::Get();
  const auto trust = ClientTrust::Create(world.Options());
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  EXPECT_TRUE(Judged(*trust, world.revoked, &world.issuing).contains("revoked by its authority"));
  ClientTrustOptions without = world.Options();
  without.lists.clear();
  EXPECT_EQ(Judged(*ClientTrust::Create(without), world.revoked, &world.issuing),
            "foreign:revoked");
}

TEST(ClientTrust, I6ADeltaListIsNoFullList) {
  const World& world = World::Get();
  ClientTrustOptions options = world.Options();
  options.lists_name = "registry.client_crl: lists.pem";
  options.lists = MakeList(world.issuing, {&world.revoked}, {.number = 7});
  ASSERT_TRUE(ClientTrust::Create(options).has_value());
  const std::string delta =
      MakeList(world.issuing, {}, {.from = hours(-1), .number = 8, .base = 7});
  for (const std::string& lists : {delta, options.lists + delta}) {
    options.lists = lists;
    const auto trust = ClientTrust::Create(options);
    ASSERT_FALSE(trust.has_value());
    EXPECT_EQ(trust.error().message,
              "registry.client_crl: lists.pem: one of the lists is a delta list; name the full "
              "list");
  }
}

TEST(ClientTrust, ARevokedAuthorityIsRejected) {
  const World& world = World::Get();
  const Made leaf = Make({.common_name = "build-7"}, &world.issuing);
  ClientTrustOptions options = world.Options();
  const std::string lists = options.lists;
  options.lists = lists + MakeList(world.root, {});
  EXPECT_EQ(Judged(*ClientTrust::Create(options), leaf, &world.issuing), "foreign:build-7");
  options.lists = lists + MakeList(world.root, {&world.issuing});
  EXPECT_TRUE(Judged(*ClientTrust::Create(options), leaf, &world.issuing).contains("was revoked"));
}

TEST(ClientTrust, AnExpiredListRejectsCertificatesOfItsAuthorityAlone) {
  const World& world = World::Get();
  ClientTrustOptions options = world.Options();
  options.lists = MakeList(world.issuing, {}, hours(-1));
  const auto trust = ClientTrust::Create(options);
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  EXPECT_LT(*trust->next_crl_expiry(), system_clock::now());
  const Made foreign = Make({.common_name = "build-7"}, &world.issuing);
  EXPECT_TRUE(Judged(*trust, foreign, &world.issuing).contains("out of date"));
  const Made own = Make({.common_name = "x", .names = kDesktop}, &world.fleet_issuing);
  EXPECT_EQ(Judged(*trust, own), "desktop");
  const Made of_root = Make({.common_name = "build-7"}, &world.root);
  EXPECT_EQ(Judged(*trust, of_root), "foreign:build-7");
}

TEST(ClientTrust, I6AnotherFleetOfTheSameAuthorityIsRejected) {
  const World& world = World::Get();
  ClientTrustOptions options = world.Options();
  options.domain = "outport";
  const auto trust = ClientTrust::Create(options);
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  const Made own = Make({.common_name = "x", .names = kDesktop}, &world.fleet_issuing);
  EXPECT_EQ(Judged(*trust, own), "desktop");
  const Made other = Make({.common_name = "x", .names = "URI:spiffe://elsewhere/client/desktop"},
                          &world.fleet_issuing);
  EXPECT_EQ(
      Judged(*trust, other),
      "The SSL certificate is not accepted: it is of the fleet 'elsewhere'; this is the fleet "
      "'outport'");
  EXPECT_EQ(trust->Verify(other.certificate.get(), nullptr, system_clock::now()),
            X509_V_ERR_APPLICATION_VERIFICATION);
  const Made foreign = Make({.common_name = "build-7"}, &world.root);
  EXPECT_EQ(Judged(*trust, foreign), "foreign:build-7") << "other authorities know no fleet";
}

TEST(ClientTrust, TrustsAnIntermediateWithoutItsRoot) {
  const World& world = World::Get();
  const auto trust = ClientTrust::Create({.fleet = world.Own(), .foreign = world.issuing.pem()});
  ASSERT_TRUE(trust.has_value()) << trust.error().message;
  EXPECT_EQ(Judged(*trust, Make({.common_name = "build-7"}, &world.issuing)), "foreign:build-7");
  EXPECT_TRUE(Judged(*trust, Make({.common_name = "build-7"}, &world.root)).contains("unknown"));
}

TEST(ClientTrust, ErrorsNameTheInvalidFile) {
  const World& world = World::Get();
  const auto why = [](const ClientTrustOptions& options) {
    const auto trust = ClientTrust::Create(options);
    return trust.has_value() ? std::string() : trust.error().message;
  };
  const Made leaf = Make({.common_name = "build-7"}, &world.issuing);
  const std::string own = world.Own();
  const std::string root = world.root.pem();
  EXPECT_EQ(why(world.Options()), "");
  EXPECT_TRUE(why({.fleet = ""}).contains("there is no certificate"));
  EXPECT_TRUE(why({.fleet = own, .foreign = "x"}).starts_with("registry.client_ca: "));
  EXPECT_TRUE(why({.fleet = own, .foreign = leaf.pem()}).contains("not a CA certificate"));
  EXPECT_TRUE(why({.fleet = own, .foreign = root, .lists = "x"})
                  .contains("registry.client_crl: there is no revocation list"));
  EXPECT_TRUE(why({.fleet = own, .foreign = root, .lists = MakeList(world.stranger, {})})
                  .contains("no certificate in registry.client_ca issued one of the lists"));
}

}  // namespace
}  // namespace outport
