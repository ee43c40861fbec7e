#include <boost/json/parse.hpp>

#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "tests/control/program_fixture.h"

namespace outport::control {
namespace {

namespace json = boost::json;

class AccessCommandsTest : public ProgramTest {
 protected:
  void AddUser(const std::string& name, const std::string& allow = "pull") {
    const Outcome added = Control({"user", "add", name, "--allow", allow}, "secret\n");
    ASSERT_EQ(added.status, 0) << added.err;
  }
  json::value Json(std::vector<std::string> words) {
    words.insert(words.begin(), {"-o", "json"});
    const Outcome outcome = Control(std::move(words));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(outcome.out);
  }
  bool Knows(const std::string& user, const std::string& password) {
    return VerifyPassword(password, directory_.Find(user)->password_hash);
  }
};

TEST_F(AccessCommandsTest, ChangesAPassword) {
  AddUser("ci");
  EXPECT_EQ(Control({"user", "passwd", "ci"}, "other\n").status, 0);
  EXPECT_TRUE(Knows("ci", "other"));
  EXPECT_FALSE(Knows("ci", "secret"));
  ExpectOneLine(Control({"user", "passwd", "nobody"}, "other\n"), "there is no user 'nobody'");
  ExpectOneLine(Control({"user", "passwd", "ci"}, ""), "no password on standard input");
  EXPECT_TRUE(Knows("ci", "other"));
}

TEST_F(AccessCommandsTest, PrintsOnlyTheGeneratedPassword) {
  const Outcome added = Control({"user", "add", "bot", "--allow", "pull", "--generate"});
  ASSERT_EQ(added.status, 0) << added.err;
  const std::string password = added.out.substr(0, added.out.size() - 1);
  EXPECT_EQ(password.size(), 24u);
  EXPECT_TRUE(Knows("bot", password));
  EXPECT_EQ(added.err.find(password), std::string::npos);
  const json::value changed = Json({"user", "passwd", "bot", "--generate"});
  EXPECT_TRUE(Knows("bot", std::string(changed.at("password").as_string())));
  EXPECT_FALSE(Knows("bot", password));
}

TEST_F(AccessCommandsTest, DisablesAndEnablesAUser) {
  AddUser("ci");
  EXPECT_EQ(Control({"user", "disable", "ci"}).status, 0);
  EXPECT_TRUE(directory_.Find("ci")->disabled);
  EXPECT_EQ(Json({"user", "list"}).at(0).at("status").as_string(), "disabled");
  EXPECT_EQ(Control({"user", "enable", "ci"}).status, 0);
  EXPECT_FALSE(directory_.Find("ci")->disabled);
  EXPECT_TRUE(Knows("ci", "secret")) << "other settings stay";
}

TEST_F(AccessCommandsTest, SetsExpiryGroupsAndCertificatesOfAUser) {
  AddUser("ci");
  const Outcome set = Control({"user", "set", "ci", "--group", "ops", "--group", "builders",
                               "--only-from", "ci-*", "--expires", "1d"});
  ASSERT_EQ(set.status, 0) << set.err;
  const auto user = directory_.Find("ci");
  EXPECT_EQ(user->groups, (std::vector<std::string>{"ops", "builders"}));
  EXPECT_EQ(user->only_from, std::vector<std::string>{"ci-*"});
  ASSERT_TRUE(user->expires.has_value());
  EXPECT_GT(*user->expires, clock_.Wall() + std::chrono::hours(23));
  EXPECT_EQ(
      Control({"user", "set", "ci", "--no-groups", "--from-anywhere", "--expires", "never"}).status,
      0);
  EXPECT_TRUE(directory_.Find("ci")->groups.empty());
  EXPECT_TRUE(directory_.Find("ci")->only_from.empty());
  EXPECT_FALSE(directory_.Find("ci")->expires.has_value());
  EXPECT_EQ(Control({"user", "set", "ci"}).status, 2) << "nothing to change";
  ExpectOneLine(Control({"user", "set", "ci", "--expires", "2001-01-31"}), "in the past");
  ExpectOneLine(Control({"user", "set", "ci", "--expires", "soon"}), "2027-01-31 or never");
  ExpectOneLine(Control({"user", "set", "ci", "--only-from", "CI"}), "'CI'");
}

TEST_F(AccessCommandsTest, AddsExplainsAndRemovesGrants) {
  AddUser("ci");
  ASSERT_EQ(Control({"user", "set", "ci", "--group", "builders"}).status, 0);
  const std::vector<std::string> explain = {"grant",        "explain",  "--user",   "ci",
                                            "--repository", "team/app", "--action", "push"};
  EXPECT_NE(Control(explain).out.find("denied: user 'ci' has no grant to push in 'team/app'"),
            std::string::npos);
  for (const char* subject : {"group:builders", "certificate:ci-1", "user:ci"}) {
    EXPECT_EQ(Control({"grant", "add", subject, "push:team/**"}).status, 0) << subject;
  }
  EXPECT_EQ(Control({"grant", "add", "anonymous", "pull:public/*"}).status, 0);
  EXPECT_EQ(Control(explain).out, "allowed: user:ci has the grant push:team/**\n");
  EXPECT_EQ(Control({"grant", "remove", "user:ci", "push:team/**"}).status, 0);
  EXPECT_EQ(Json(explain).at("subject").as_string(), "group:builders");
  EXPECT_EQ(Json({"grant", "list"}).as_array().size(), 4u);
  EXPECT_EQ(Json({"grant", "list", "group:builders"}).at(0).at("pattern").as_string(), "team/**");
  const json::value groups = Json({"user", "groups"});
  EXPECT_EQ(groups.at(0).at("name").as_string(), "builders");
  EXPECT_EQ(groups.at(0).at("members").at(0).as_string(), "ci");
  EXPECT_EQ(groups.at(0).at("grants").at(0).as_string(), "push:team/**");
  ASSERT_EQ(Control({"user", "disable", "ci"}).status, 0);
  EXPECT_NE(Json(explain).at("reason").as_string().find("disabled"), std::string::npos);
}

TEST_F(AccessCommandsTest, RejectsInvalidGrantsInOneLine) {
  ExpectOneLine(Control({"grant", "add", "ci", "pull"}), "user:NAME");
  ExpectOneLine(Control({"grant", "add", "user:nobody", "pull"}), "there is no user 'nobody'");
  ExpectOneLine(Control({"grant", "add", "anonymous", "push"}), "'anonymous' may only pull");
  ExpectOneLine(Control({"grant", "add", "group:ops", "admin"}), "administrator certificate");
  ASSERT_EQ(Control({"grant", "add", "group:ops", "pull"}).status, 0);
  ExpectOneLine(Control({"grant", "add", "group:ops", "pull"}), "already");
  ExpectOneLine(Control({"grant", "remove", "group:ops", "push"}), "it has: pull:**");
  ExpectOneLine(Control({"grant", "explain", "--repository", "UPPER"}), "UPPER");
}

TEST_F(AccessCommandsTest, RevokesACertificateByAPrefixOfItsSerial) {
  const std::string out = (folder_.path() / "c").native();
  ASSERT_EQ(Control({"cert", "issue", "laptop", "--out", out}).status, 0);
  const auto identity = *pki::Inspect(*ReadWholeFile(out + "/client.cert"));
  EXPECT_FALSE(directory_.IsRevoked(identity));
  const Outcome revoked = Control({"cert", "revoke", identity.serial.substr(0, 8), "--wait"});
  EXPECT_EQ(revoked.status, 0) << revoked.err;
  EXPECT_NE(revoked.out.find("client certificate 'laptop'"), std::string::npos);
  EXPECT_TRUE(directory_.IsRevoked(identity));
  ExpectOneLine(Control({"cert", "revoke", "0123456789abcdef"}), "there is no certificate");
  ExpectOneLine(Control({"cert", "revoke", "12"}), "at least its first 8 digits");
  const auto own = *pki::Inspect(*ReadWholeFile(profile_ / "admin.crt"));
  ExpectOneLine(Control({"cert", "revoke", own.serial}), "another administrator can revoke it");
}

TEST_F(AccessCommandsTest, I6RejectsARevokedAdministrator) {
  const std::string out = (folder_.path() / "second").native();
  ASSERT_EQ(Control({"cert", "issue", "eve", "--role", "admin", "--out", out}).status, 0);
  EXPECT_EQ(RunWith({"--profile", out, "user", "list"}).status, 0);
  const auto identity = *pki::Inspect(*ReadWholeFile(out + "/admin.crt"));
  ASSERT_EQ(Control({"cert", "revoke", identity.serial}).status, 0);
  ExpectOneLine(RunWith({"--profile", out, "user", "list"}), "was revoked");
}

// One node has applied the change, one is behind, one is disconnected.
TEST_F(AccessCommandsTest, WaitListsTheNodesThatHaveNotConfirmed) {
  for (const char* name : {"eu", "us", "ap"}) {
    v1::NodeRow row;
    row.set_name(name);
    auto put = [&](MetaTransaction& transaction) {
      return WriteRow(transaction, keys::Node(name), row);
    };
    ASSERT_TRUE(Transact(*meta_, put).has_value());
  }
  AddUser("ann");
  AddUser("bob");
  const uint64_t head = meta_->Head()->sequence;
  for (const auto& [name, sequence] : {std::pair{"eu", head}, {"us", head - 1}}) {
    const uint64_t ticket = nodes_.Connect(name, "127.0.0.1", [](const Error&) {});
    nodes_.RecordAcknowledgement(name, ticket, sequence);
  }
  const auto wait = [&](uint64_t sequence, const std::string& node) {
    return Control({"wait", "--sequence", std::to_string(sequence), "--timeout", "60ms", node});
  };
  const Outcome behind =
      Control({"wait", "--sequence", std::to_string(head), "--timeout", "100ms"});
  EXPECT_EQ(behind.status, 1);
  EXPECT_NE(behind.err.find("not confirmed yet by: us; check again with 'outportctl wait "
                            "--sequence " +
                            std::to_string(head) + "'"),
            std::string::npos)
      << behind.err;
  EXPECT_NE(behind.err.find("disconnected nodes apply the change when they reconnect: ap"),
            std::string::npos);
  EXPECT_EQ(wait(head, "eu").status, 0);
  const Outcome away = wait(head, "ap");
  EXPECT_EQ(away.status, 1) << "a node that is named must confirm";
  EXPECT_NE(away.out.find("no node has confirmed yet"), std::string::npos) << away.out;
  ExpectOneLine(wait(head, "no-such"), "there is no node 'no-such'");
  ExpectOneLine(wait(head + 1, "eu"), "the store's last change is " + std::to_string(head));
}

TEST_F(AccessCommandsTest, ExportsAndImportsUsers) {
  AddUser("ann");
  AddUser("bob");
  const std::string file = (folder_.path() / "users").native();
  ASSERT_EQ(Control({"user", "export", "--out", file}).status, 0);
  EXPECT_TRUE(ReadSecretFile(file).has_value()) << "others cannot read it";
  EXPECT_EQ(Control({"user", "export"}).out, *ReadWholeFile(file));
  ExpectOneLine(Control({"user", "export", "--out", file}), "users already exists");
  EXPECT_EQ(Control({"user", "export", "--out", file, "--replace"}).status, 0);
  ASSERT_EQ(Control({"user", "remove", "ann"}).status, 0);
  const json::value done = Json({"user", "import", file, "--allow", "pull:team/**"});
  EXPECT_EQ(done.at("created").as_int64(), 1);
  EXPECT_EQ(done.at("unchanged").as_int64(), 1);
  EXPECT_TRUE(Knows("ann", "secret"));
  const Rights rights = directory_.RightsOf(directory_.Find("ann"), "");
  EXPECT_FALSE(rights.Allows(Action::kPull, *RepositoryName::Parse("other/app")));
}

TEST_F(AccessCommandsTest, ImportIsAllOrNothing) {
  AddUser("bob");
  const std::string file = (folder_.path() / "users").native();
  const std::string ann = "ann:" + *HashPassword("a", 4) + "\n";
  const std::string bob = "bob:" + *HashPassword("b", 4) + "\n";
  const auto import = [&](const std::string& text, std::vector<std::string> more = {}) {
    EXPECT_TRUE(ReplaceFile(file, text, 0600).has_value());
    std::vector<std::string> words = {"user", "import", file, "--allow", "pull"};
    words.insert(words.end(), more.begin(), more.end());
    return Control(words);
  };
  ExpectOneLine(import(ann + "eve:$apr1$x$y\n"), "users: line 2: the password hash is");
  ExpectOneLine(import(ann + bob), "user 'bob' already exists with another password");
  EXPECT_EQ(directory_.Find("ann"), nullptr);
  EXPECT_TRUE(Knows("bob", "secret"));
  EXPECT_EQ(import(ann + bob, {"--update"}).status, 0);
  EXPECT_TRUE(Knows("bob", "b"));
  EXPECT_TRUE(Knows("ann", "a"));
  EXPECT_EQ(import(ann, {"--update"}).status, 0);
  EXPECT_EQ(Control({"user", "import", file, "--update"}).status, 0) << "no user is new";
  ASSERT_EQ(Control({"user", "remove", "ann"}).status, 0);
  ExpectOneLine(Control({"user", "import", file, "--update"}),
                "user 'ann' is new and needs grants");
  EXPECT_EQ(directory_.Find("ann"), nullptr);
  ExpectOneLine(Control({"user", "import", file + "x", "--allow", "pull"}), "usersx");
}

}  // namespace
}  // namespace outport::control
