#include "registry/security/tls/list_history.h"

#include <gtest/gtest.h>

#include "tests/security/tls/certificate_maker.h"

namespace outport {
namespace {

using std::chrono::hours;

// Two roots, and two issuing authorities of the first root, made once.
struct World {
  Made root = Make({.common_name = "Root", .authority = true});
  Made middle = Make({.common_name = "Middle", .authority = true}, &root);
  Made issuing = Make({.common_name = "Issuing", .authority = true}, &middle);
  Made other = Make({.common_name = "Other", .authority = true});
  Made fleet = Make({.common_name = "Fleet", .authority = true});

  static const World& Get() {
    static const World kWorld;
    return kWorld;
  }
};

ClientTrustOptions Options(const std::string& foreign, const std::string& lists) {
  return {.foreign = foreign, .lists = lists};
}

// Returns why `next` may not replace `before`; an empty text if it may.
std::string WhyNot(const ClientTrustOptions& before, const ClientTrustOptions& next) {
  ListHistory history;
  history.Record(before);
  const Result<void> good = history.Check(next, std::chrono::system_clock::now());
  return good.has_value() ? std::string() : good.error().message;
}

TEST(ListHistory, I6AnAuthorityKeepsItsList) {
  const auto& [root, middle, issuing, other, fleet] = World::Get();
  const std::string both = root.pem() + other.pem();
  const std::string of_root = MakeList(root, {});
  const std::string of_other = MakeList(other, {});
  const auto before = Options(both, of_root + of_other);
  EXPECT_EQ(WhyNot(before, before), "");
  EXPECT_EQ(WhyNot(before, Options(both, of_other + of_root)), "");
  EXPECT_EQ(WhyNot(Options(both, of_root), before), "") << "a further list";
  EXPECT_TRUE(WhyNot(before, Options(both, of_other)).contains("'CN=Root' is missing"));
  EXPECT_TRUE(WhyNot(before, Options(both, "")).contains("is missing"));
  EXPECT_EQ(WhyNot(before, Options(other.pem(), of_other)), "") << "the authority left as well";
}

TEST(ListHistory, I6AListNeverBecomesOlder) {
  const Made& root = World::Get().root;
  const auto list = [&root](long number, hours from) {
    return Options(root.pem(), MakeList(root, {}, {.from = from, .number = number}));
  };
  const hours early(-3);
  const hours late(-2);
  EXPECT_TRUE(WhyNot(list(8, late), list(7, late)).contains("'CN=Root' is older"));
  EXPECT_TRUE(WhyNot(list(256, late), list(255, late)).contains("is older")) << "by one byte";
  EXPECT_EQ(WhyNot(list(255, late), list(256, late)), "");
  EXPECT_EQ(WhyNot(list(7, late), list(8, early)), "") << "the number counts";
  EXPECT_TRUE(WhyNot(list(8, late), list(8, early)).contains("is older"));
  EXPECT_TRUE(WhyNot(list(-1, late), list(-1, early)).contains("is older")) << "by its time";
  EXPECT_TRUE(WhyNot(list(8, late), list(-1, early)).contains("is older"));
  EXPECT_EQ(WhyNot(list(-1, early), list(8, late)), "");
  const ClientTrustOptions newest = list(8, late);
  EXPECT_EQ(WhyNot(newest, Options(root.pem(), list(7, late).lists + newest.lists)), "");
}

TEST(ListHistory, I6AnUnnumberedListForgetsNoNumber) {
  const Made& root = World::Get().root;
  const auto list = [&root](long number, hours from) {
    return Options(root.pem(), MakeList(root, {}, {.from = from, .number = number}));
  };
  ListHistory history;
  history.Record(list(8, hours(-5)));
  history.Record(list(-1, hours(-3)));
  const auto now = std::chrono::system_clock::now();
  EXPECT_FALSE(history.Check(list(7, hours(-2)), now).has_value());
  EXPECT_FALSE(history.Check(list(-1, hours(-4)), now).has_value());
  EXPECT_TRUE(history.Check(list(-1, hours(-3)), now).has_value());
  EXPECT_TRUE(history.Check(list(9, hours(-2)), now).has_value());
}

TEST(ListHistory, AListThatIsNotValidReplacesNoValidOne) {
  const Made& root = World::Get().root;
  const auto list = [&root](hours from, hours due) {
    return Options(root.pem(), MakeList(root, {}, {.from = from, .due = due}));
  };
  const auto valid = list(hours(-5), hours(5));
  const auto expired = list(hours(-4), hours(-1));
  EXPECT_TRUE(WhyNot(valid, expired).contains("'CN=Root' expired at "));
  EXPECT_TRUE(WhyNot(valid, list(hours(1), hours(5))).contains("is not valid before "));
  EXPECT_EQ(WhyNot(list(hours(-5), hours(-2)), expired), "") << "the one in use is not valid";
}

// Returns what the server says about `leaf` after `next` has replaced `before`. The client sends
// `sent` with it.
std::string Judged(const ClientTrustOptions& before, ClientTrustOptions next, const Made& leaf,
                   const Made& sent) {
  ListHistory history;
  history.Record(before);
  const auto now = std::chrono::system_clock::now();
  if (const auto good = history.Check(next, now); !good.has_value()) return good.error().message;
  next.fleet = World::Get().fleet.pem();
  next.departed_lists = history.DepartedLists(next);
  const auto trust = ClientTrust::Create(next);
  if (!trust.has_value()) return trust.error().message;
  STACK_OF(X509)* chain = sk_X509_new_null();
  sk_X509_push(chain, sent.certificate.get());
  const auto identity = trust->Identify(leaf.certificate.get(), chain, now);
  sk_X509_free(chain);
  return identity.has_value() ? identity->name : identity.error().message;
}

TEST(ListHistory, I6TheListOfADepartedAuthorityStaysInForce) {
  const auto& [root, middle, issuing, other, fleet] = World::Get();
  const Made good = Make({.common_name = "good"}, &middle);
  const Made revoked = Make({.common_name = "revoked"}, &middle);
  const std::string list = MakeList(middle, {&revoked});
  const auto all = Options(root.pem() + middle.pem(), list);
  const auto without = Options(root.pem(), "");
  EXPECT_TRUE(Judged(all, without, revoked, middle).contains("revoked by its authority"));
  EXPECT_EQ(Judged(all, without, good, middle), "foreign:good");
  const auto alone = Options(middle.pem() + other.pem(), list);
  EXPECT_TRUE(Judged(alone, Options(other.pem(), ""), good, middle).contains("unknown authority"))
      << "its certificates are valid no longer";
}

TEST(ListHistory, I6AnIntermediateOutlivesItsRootUnlessRevoked) {
  const auto& [root, middle, issuing, other, fleet] = World::Get();
  const Made good = Make({.common_name = "good"}, &middle);
  const auto alone = Options(middle.pem(), "");
  const auto judged = [&](const std::string& list) {
    return Judged(Options(root.pem() + middle.pem(), list), alone, good, middle);
  };
  EXPECT_EQ(judged(MakeList(root, {})), "foreign:good");
  EXPECT_FALSE(judged(MakeList(root, {&middle})).starts_with("foreign:"));
}

TEST(ListHistory, I6AnAuthorityIsItsNameAndItsKey) {
  const auto& [root, middle, issuing, other, fleet] = World::Get();
  const Made namesake = Make({.common_name = "Root", .authority = true});
  const Made old = Make({.common_name = "Old", .authority = true});
  const Made leaf = Make({.common_name = "leaf"}, &namesake);
  EXPECT_EQ(
      Judged(Options(root.pem(), MakeList(root, {})), Options(namesake.pem(), ""), leaf, namesake),
      "foreign:leaf");
  const auto before = Options(root.pem() + old.pem(), MakeList(root, {}) + MakeList(old, {}));
  EXPECT_EQ(WhyNot(before, Options(namesake.pem() + old.pem(), MakeList(old, {}))), "");
  EXPECT_TRUE(WhyNot(before, Options(root.pem() + namesake.pem(), MakeList(namesake, {})))
                  .contains("'CN=Root' is missing"));
}

TEST(ListHistory, I6AnAuthorityThatComesBackNeedsItsList) {
  const auto& [root, middle, issuing, other, fleet] = World::Get();
  const auto now = std::chrono::system_clock::now();
  ListHistory history;
  history.Record(Options(root.pem() + issuing.pem() + middle.pem(), MakeList(issuing, {})));
  history.Record(Options(other.pem(), ""));
  EXPECT_FALSE(history.Check(Options(other.pem() + issuing.pem(), ""), now).has_value());
  EXPECT_TRUE(history.Check(Options(issuing.pem(), MakeList(issuing, {})), now).has_value());
}

}  // namespace
}  // namespace outport
