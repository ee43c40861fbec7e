#include <boost/json/parse.hpp>

#include "tests/control/program_fixture.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

TEST_F(ProgramTest, CreatesListsAndRemovesUsers) {
  const Outcome added =
      Control({"user", "add", "ci", "--allow", "pull,push:team/**", "--allow", "pull"}, "secret\n");
  EXPECT_EQ(added.status, 0) << added.err;
  ASSERT_NE(directory_.Find("ci"), nullptr);
  EXPECT_TRUE(VerifyPassword("secret", directory_.Find("ci")->password_hash));
  const Rights rights = directory_.RightsOf(directory_.Find("ci"), "");
  EXPECT_TRUE(rights.Allows(Action::kPush, *RepositoryName::Parse("team/app")));
  EXPECT_FALSE(rights.Allows(Action::kPush, *RepositoryName::Parse("other/app")));

  const auto listed = boost::json::parse(Control({"user", "list", "-o", "json"}).out);
  EXPECT_EQ(listed.at(0).at("name").as_string(), "ci");
  EXPECT_EQ(listed.at(0).at("grants").at(0).as_string(), "pull,push:team/**");
  EXPECT_NE(Control({"user", "list"}).out.find("NAME"), std::string::npos);

  EXPECT_EQ(Control({"user", "remove", "ci"}).status, 0);
  EXPECT_EQ(directory_.Find("ci"), nullptr);
  ExpectOneLine(Control({"user", "remove", "ci"}), "there is no user 'ci'");
}

TEST_F(ProgramTest, RejectsInvalidUsersInOneLine) {
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "fly"}, "secret\n"), "'fly'");
  ExpectOneLine(Control({"user", "add", "CI", "--allow", "pull"}, "secret\n"), "'CI'");
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "admin"}, "secret\n"), "--role admin");
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "pull:../x"}, "secret\n"), "'..'");
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "pull"}, ""), "no password");
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "pull"}, "\xef\xbb\xbfsecret\n"),
                "byte order mark");
  ExpectOneLine(Control({"user", "add", "ci", "--allow", "pull"}, "a\tb\n"), "control character");
  EXPECT_TRUE(fleet_.users.List("", 10)->rows.empty());
}

TEST_F(ProgramTest, WritesCertificatesInDockersLayout) {
  const fs::path out = folder_.path() / "certs.d";
  const Outcome issued = Control({"cert", "issue", "desktop", "--for", "store:5000", "--for",
                                  "eu:5000", "--out", out.native(), "--days", "30"});
  ASSERT_EQ(issued.status, 0) << issued.err;
  for (const char* registry : {"store:5000", "eu:5000"}) {
    const auto certificate = *ReadWholeFile(out / registry / "client.cert");
    EXPECT_EQ(pki::Inspect(certificate)->name, "desktop");
    EXPECT_EQ(pki::Inspect(certificate)->role, Role::kClient);
    EXPECT_TRUE(ReadSecretFile(out / registry / "client.key").has_value());
    EXPECT_EQ(*ReadWholeFile(out / registry / "ca.crt"), files_.authority.root.certificate);
  }
  const auto listed = boost::json::parse(Control({"-o", "json", "cert", "list"}).out);
  EXPECT_EQ(listed.as_array().size(), 2u) << "the administrator's and the desktop's";
  ExpectOneLine(Control({"cert", "issue", "desktop", "--for", "../x"}), "'../x'");
}

TEST_F(ProgramTest, WritesAnAdministratorCertificateAsAProfile) {
  const fs::path other = folder_.path() / "second";
  const Outcome issued =
      Control({"cert", "issue", "ops", "--role", "admin", "--out", other.native()});
  ASSERT_EQ(issued.status, 0) << issued.err;
  const Outcome listed = RunWith({"--profile", other.native(), "user", "list"});
  EXPECT_EQ(listed.status, 0) << listed.err;
  ExpectOneLine(Control({"cert", "issue", "ops", "--role", "admin"}), "--out DIR");
}

TEST_F(ProgramTest, ReplacesAPrivateKeyOnlyOnRequest) {
  const fs::path client = folder_.path() / "c1";
  const fs::path admin = folder_.path() / "bob";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"cert", "issue", "c1", "--out", client.native()},
        {"cert", "issue", "c1", "--for", "store:5000", "--out", client.native()},
        {"cert", "issue", "bob", "--role", "admin", "--out", admin.native()}}) {
    ASSERT_EQ(Control(words).status, 0);
    const fs::path key = words.back() == admin ? admin / "admin.key"
                         : words.size() > 5    ? client / "store:5000" / "client.key"
                                               : client / "client.key";
    const std::string before = *ReadWholeFile(key);
    const size_t issued = fleet_.certificates.List("", 100)->rows.size();
    const Outcome refused = Control(words);
    ExpectOneLine(refused, key.native());
    EXPECT_NE(refused.err.find("--replace"), std::string::npos) << refused.err;
    EXPECT_EQ(*ReadWholeFile(key), before);
    EXPECT_EQ(fleet_.certificates.List("", 100)->rows.size(), issued);
    std::vector<std::string> asked = words;
    asked.emplace_back("--replace");
    EXPECT_EQ(Control(asked).status, 0);
    EXPECT_NE(*ReadWholeFile(key), before);
  }
}

TEST_F(ProgramTest, IssuesNoCertificateThatCannotBeWritten) {
  const size_t issued = fleet_.certificates.List("", 100)->rows.size();
  ExpectOneLine(Control({"cert", "issue", "c1", "--out", "/proc/foo"}), "another --out");
  EXPECT_EQ(fleet_.certificates.List("", 100)->rows.size(), issued);
}

TEST_F(ProgramTest, WritesATokenToANewPrivateFile) {
  const fs::path out = folder_.path() / "token";
  const std::vector<std::string> words = {"node", "invite", "eu",        "--host",
                                          "a",    "--out",  out.native()};
  const Outcome invited = Control(words);
  ASSERT_EQ(invited.status, 0) << invited.err;
  const auto token = ReadSecretFile(out);
  ASSERT_TRUE(token.has_value()) << token.error().message;
  EXPECT_EQ(InvitationToken::Decode(*token)->node, "eu");
  EXPECT_EQ((invited.out + invited.err).find(InvitationToken::Decode(*token)->secret),
            std::string::npos);
  ExpectOneLine(Control(words), out.native());
  EXPECT_EQ(*ReadSecretFile(out), *token);
  ExpectOneLine(Control({"node", "invite", "eu", "--host", "a", "--out", "/nonexistent/t"}),
                "another --out");
  ExpectOneLine(Control({"node", "invite", "eu", "--host", "bad name!"}), "--host: 'bad name!'");
}

TEST_F(ProgramTest, PrintsOnlyTheTokenOnStandardOutput) {
  const Outcome invited = Control({"node", "invite", "eu", "--host", "eu.example.com"});
  ASSERT_EQ(invited.status, 0) << invited.err;
  const auto token = InvitationToken::Decode(invited.out);
  ASSERT_TRUE(token.has_value());
  EXPECT_EQ(token->node, "eu");
  EXPECT_EQ(invited.out, token->Encode() + "\n");
  EXPECT_EQ(invited.err.find(token->secret), std::string::npos);
  ExpectOneLine(Control({"node", "invite", "eu", "--host", "a", "--lifetime", "soon"}), "soon");
  ExpectOneLine(Control({"node", "invite", "eu", "--host", "a", "--lifetime", "8d"}), "7 days");
}

TEST_F(ProgramTest, ShowsStatusAndNodes) {
  const auto status = boost::json::parse(Control({"status", "-o", "json"}).out);
  EXPECT_EQ(status.at("epoch").as_string(), "epoch1");
  EXPECT_TRUE(status.at("nodes").as_array().empty());
  EXPECT_EQ(status.at("change_log").at("slowest_node").as_string(), "");
  EXPECT_NE(Control({"status"}).out.find("\nchange log    0 changes from 0 on (0 B)\n"),
            std::string::npos);
  EXPECT_NE(Control({"status"}).out.find("epoch1"), std::string::npos);
  EXPECT_EQ(Control({"node", "list", "-o", "json"}).out, "[]\n");
}

TEST_F(ProgramTest, ExplainsAnUnreachableStore) {
  server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
  const Outcome outcome = Control({"user", "list"});
  ExpectOneLine(outcome, address_);
  EXPECT_NE(outcome.err.find("check that the store runs"), std::string::npos) << outcome.err;
}

TEST_F(ProgramTest, ExplainsAStoreOfAnotherFleet) {
  const auto other = *pki::CreateAuthority("outport");
  ASSERT_TRUE(ReplaceFile(profile_ / "ca.crt", other.root.certificate).has_value());
  ExpectOneLine(Control({"user", "list"}), "not accepted");
}

TEST_F(ProgramTest, ExplainsACertificateThatIsNotAnAdministrators) {
  const fs::path out = folder_.path() / "bob";
  ASSERT_EQ(Control({"cert", "issue", "bob", "--out", out.native()}).status, 0);
  fs::rename(out / "client.cert", profile_ / "admin.crt");
  fs::rename(out / "client.key", profile_ / "admin.key");
  ExpectOneLine(Control({"user", "list"}), "the caller is spiffe://outport/client/bob");

  const auto stranger = IdentityFrom(*pki::CreateAuthority("outport"), Role::kAdmin, "admin");
  ASSERT_TRUE(ReplaceFile(profile_ / "admin.crt", stranger.certificate_chain).has_value());
  ASSERT_TRUE(ReplaceFile(profile_ / "admin.key", stranger.private_key).has_value());
  ExpectOneLine(Control({"user", "list"}), "does not accept");
}

TEST_F(ProgramTest, ExplainsAnInvalidProfile) {
  ExpectOneLine(RunWith({"--profile", "/nonexistent", "user", "list"}), "outport-store init");
  const std::string key = *ReadWholeFile(profile_ / "admin.key");
  ASSERT_TRUE(ReplaceFile(profile_ / "admin.key", pki::CreatePrivateKey()).has_value());
  ExpectOneLine(Control({"user", "list"}), "does not belong");
  ASSERT_TRUE(ReplaceFile(profile_ / "admin.key", key).has_value());
  ::chmod((profile_ / "admin.key").c_str(), 0644);
  ExpectOneLine(Control({"user", "list"}), "chmod 600");
  ::chmod((profile_ / "admin.key").c_str(), 0600);
  ::chmod(profile_.c_str(), 0770);
  ExpectOneLine(Control({"user", "list"}), "chmod go-w " + profile_.native());
  for (const mode_t mode : {01777, 0755, 0700}) {
    ::chmod(profile_.c_str(), mode);
    EXPECT_EQ(Control({"user", "list"}).status, 0) << mode;
  }
}

TEST_F(ProgramTest, ReportsAWrongCommandLineAsUsage) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"user"},
                                                {"user", "add", "ci"},
                                                {"fly"},
                                                {"--fly"},
                                                {"user", "list", "-o", "xml"}}) {
    const Outcome outcome = RunWith(words);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(outcome.err.starts_with("outportctl: ")) << outcome.err;
  }
  EXPECT_EQ(RunWith({"--help"}).status, 0);
  EXPECT_TRUE(RunWith({"--version"}).out.starts_with("outportctl "));
}

TEST_F(ProgramTest, TheHelpOfEachCommandShowsAnExample) {
  const std::vector<std::vector<std::string>> commands = {{"user", "add"},
                                                          {"user", "list"},
                                                          {"user", "remove"},
                                                          {"user", "passwd"},
                                                          {"user", "enable"},
                                                          {"user", "disable"},
                                                          {"user", "set"},
                                                          {"user", "import"},
                                                          {"user", "export"},
                                                          {"user", "groups"},
                                                          {"grant", "add"},
                                                          {"grant", "remove"},
                                                          {"grant", "list"},
                                                          {"grant", "explain"},
                                                          {"cert", "issue"},
                                                          {"cert", "list"},
                                                          {"cert", "show"},
                                                          {"cert", "renew"},
                                                          {"cert", "revoke"},
                                                          {"cert", "install"},
                                                          {"ca", "show"},
                                                          {"ca", "rotate"},
                                                          {"node", "invite"},
                                                          {"node", "list"},
                                                          {"node", "show"},
                                                          {"node", "set"},
                                                          {"node", "remove"},
                                                          {"gc", "plan"},
                                                          {"gc", "run"},
                                                          {"gc", "undo"},
                                                          {"gc", "history"},
                                                          {"gc", "status"},
                                                          {"gc", "pause"},
                                                          {"gc", "resume"},
                                                          {"tag", "history"},
                                                          {"tag", "restore"},
                                                          {"tag", "protect"},
                                                          {"tag", "unprotect"},
                                                          {"tag", "rules"},
                                                          {"upload", "list"},
                                                          {"upload", "cancel"},
                                                          {"audit", "list"},
                                                          {"audit", "verify"},
                                                          {"status"},
                                                          {"wait"},
                                                          {"ca", "rotate", "issuing"},
                                                          {"ca", "rotate", "root"},
                                                          {"ca", "rotate", "status"},
                                                          {"ca", "rotate", "continue"},
                                                          {"ca", "rotate", "undo"}};
  for (std::vector<std::string> words : commands) {
    std::string example = "  outportctl";
    for (const std::string& word : words) example += " " + word;
    words.emplace_back("--help");
    const Outcome help = RunWith(words);
    EXPECT_EQ(help.status, 0) << help.err;
    EXPECT_NE(help.out.find(example), std::string::npos) << example << "\n" << help.out;
  }
}

TEST_F(ProgramTest, NamesTheOptionOfAnInvalidDuration) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"gc", "run", "--timeout", "never"},
           {"gc", "undo", "x", "--timeout", "never"},
           {"retention", "run", "--timeout", "never"},
           {"cert", "list", "--expiring", "never"},
           {"node", "invite", "eu", "--host", "eu", "--lifetime", "never"}}) {
    ExpectOneLine(Control(words), words.at(words.size() - 2) + ": 'never' is not a duration");
  }
}

TEST_F(ProgramTest, TellsThatANodeToRemoveDoesNotExist) {
  const Outcome outcome = Control({"node", "remove", "eu-wset"});
  ExpectOneLine(outcome, "there is no node 'eu-wset'; 'outportctl node list' shows the nodes");
  EXPECT_EQ(outcome.err.find("listing"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace outport::control
