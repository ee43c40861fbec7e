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
  const Result<void> good = history.Check(next);
  return good.has_value() ? std::string() : good.error().message;
}

TEST(ListHistory, I6AnAuthorityKeepsItsList) {
  const auto& [root, middle, issuing, other] = World::Get();
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

TEST(ListHistory, I6AnAuthorityThatStaysTrustedThroughAnotherKeepsItsList) {
  const auto& [root, middle, issuing, other] = World::Get();
  const std::string list = MakeList(issuing, {});
  const auto all = Options(root.pem() + middle.pem() + issuing.pem(), list);
  const auto alone = Options(issuing.pem() + other.pem(), list);
  EXPECT_TRUE(WhyNot(all, Options(root.pem(), "")).contains("'CN=Issuing' is missing"));
  EXPECT_TRUE(WhyNot(all, Options(middle.pem(), "")).contains("'CN=Issuing' is missing"));
  EXPECT_EQ(WhyNot(all, Options(other.pem(), "")), "");
  EXPECT_TRUE(WhyNot(alone, Options(other.pem(), "")).contains("'CN=Issuing' is missing"))
      << "a client may send what leads from one to the other";
}

TEST(ListHistory, I6AnAuthorityThatComesBackNeedsItsList) {
  const auto& [root, middle, issuing, other] = World::Get();
  ListHistory history;
  history.Record(Options(root.pem() + issuing.pem() + middle.pem(), MakeList(issuing, {})));
  history.Record(Options(other.pem(), ""));
  EXPECT_FALSE(history.Check(Options(other.pem() + issuing.pem(), "")).has_value());
  EXPECT_FALSE(history.Check(Options(other.pem() + root.pem(), "")).has_value());
  EXPECT_TRUE(history.Check(Options(issuing.pem(), MakeList(issuing, {}))).has_value());
}

}  // namespace
}  // namespace outport
