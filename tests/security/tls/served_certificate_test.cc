#include "registry/security/tls/served_certificate.h"

#include <gtest/gtest.h>

#include <fstream>

#include "registry/base/blocking_pool.h"
#include "registry/security/pki/pki.h"
#include "tests/security/tls/certificate_maker.h"
#include "tests/support/shifted_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

using std::chrono::hours;
namespace fs = std::filesystem;

struct Pair {
  std::string chain;
  std::string key;
};

class ServedCertificateTest : public testing::Test {
 protected:
  ServedCertificateTest() { Write(Issue(hours(24 * 30))); }

  static const pki::Authority& Fleet() {
    static const pki::Authority kFleet = *pki::CreateAuthority("outport");
    return kFleet;
  }
  static Pair Issue(std::chrono::seconds lifetime) {
    const std::string key = pki::CreatePrivateKey();
    const auto leaf = *pki::Issue(Fleet(), *pki::CreateRequest(key),
                                  {.role = Role::kStore,
                                   .name = "store",
                                   .host_names = {"localhost"},
                                   .server = true,
                                   .client = false,
                                   .lifetime = lifetime});
    return {leaf.certificate + Fleet().issuing.certificate, key};
  }
  static void WriteFile(const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
  void Write(const Pair& pair) const {
    WriteFile(files_.certificate, pair.chain);
    WriteFile(files_.key, pair.key);
  }
  ServerTlsOptions Trust() const { return {.trust = {.fleet = Fleet().root.certificate}}; }
  // Checks the files twice. Expects that the old certificate stays in use, with `reason` as a
  // warning.
  void ExpectKept(const std::string& reason) {
    const auto shown = served_->tls();
    EXPECT_FALSE(served_->Reload());
    EXPECT_FALSE(served_->WhyNotReloaded().has_value()) << "the other file may still change";
    EXPECT_FALSE(served_->Reload());
    ASSERT_TRUE(served_->WhyNotReloaded().has_value());
    EXPECT_NE(served_->WhyNotReloaded()->find(reason), std::string::npos)
        << *served_->WhyNotReloaded();
    ASSERT_EQ(served_->Warnings().size(), 1U);
    EXPECT_FALSE(served_->WhyExpired().has_value());
    EXPECT_EQ(served_->tls(), shown);
    EXPECT_EQ(used_, 0);
  }
  void Load() {
    auto loaded = LoadCertificate(files_, Trust());
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    served_ = std::make_unique<ServedCertificate>(
        ServedCertificate::Parts{.pool = pool_,
                                 .clock = clock_,
                                 .metrics = metrics_,
                                 .log = Log::Nowhere(),
                                 .files = files_,
                                 .on_reload = [this](const auto&) { ++used_; }},
        *std::move(loaded));
  }

  TemporaryFolder folder_;
  CertificateFiles files_{folder_.path() / "server.crt", folder_.path() / "server.key"};
  BlockingPool pool_{"test", 1, 10};
  ShiftedClock clock_;
  Metrics metrics_;
  int used_ = 0;
  std::unique_ptr<ServedCertificate> served_;
};

TEST_F(ServedCertificateTest, LoadsANewPair) {
  Load();
  EXPECT_FALSE(served_->Reload());
  const auto before = served_->tls();
  const auto ends = served_->not_after();
  Write(Issue(hours(24 * 60)));
  EXPECT_TRUE(served_->Reload());
  EXPECT_NE(served_->tls(), before);
  EXPECT_GT(served_->not_after(), ends);
  EXPECT_EQ(used_, 1);
  EXPECT_FALSE(served_->Reload());
  EXPECT_TRUE(served_->Warnings().empty());
}

TEST_F(ServedCertificateTest, FollowsAReplacedSymbolicLink) {
  const fs::path live = folder_.path() / "live";
  const CertificateFiles first{folder_.path() / "crt1", folder_.path() / "key1"};
  const CertificateFiles second{folder_.path() / "crt2", folder_.path() / "key2"};
  for (const CertificateFiles& pair : {first, second}) {
    const Pair issued = Issue(hours(24 * 30));
    WriteFile(pair.certificate, issued.chain);
    WriteFile(pair.key, issued.key);
  }
  files_ = {folder_.path() / "link.crt", folder_.path() / "link.key"};
  fs::create_symlink(first.certificate, files_.certificate);
  fs::create_symlink(first.key, files_.key);
  Load();
  fs::remove(files_.certificate);
  fs::create_symlink(second.certificate, files_.certificate);
  EXPECT_FALSE(served_->Reload()) << "only one of the two files has changed";
  EXPECT_TRUE(served_->Warnings().empty());
  fs::remove(files_.key);
  fs::create_symlink(second.key, files_.key);
  EXPECT_TRUE(served_->Reload());
}

TEST_F(ServedCertificateTest, AnInvalidFileKeepsTheOldCertificateWithAWarning) {
  struct Case {
    const char* what;
    std::function<void()> break_it;
    std::string reason;
  };
  const Case kCases[] = {
      {"no certificate", [&] { fs::remove(files_.certificate); }, "server.crt"},
      {"no key", [&] { fs::remove(files_.key); }, "server.key"},
      {"no PEM", [&] { WriteFile(files_.certificate, "hello"); }, "server.crt"},
      {"cut short", [&] { WriteFile(files_.certificate, Issue(hours(1)).chain.substr(0, 200)); },
       "server.crt"},
      {"of two pairs", [&] { WriteFile(files_.key, Issue(hours(1)).key); },
       "the server's private key does not belong to its certificate"},
      {"expired",
       [&] {
         Write(Issue(hours(1)));
         clock_.Advance(hours(2));
       },
       "it expired at"},
      {"a key for all to read",
       [&] { fs::permissions(files_.key, fs::perms::others_read, fs::perm_options::add); },
       "chmod 600"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const Pair good = Issue(hours(24 * 30));
    fs::remove(files_.certificate);
    fs::remove(files_.key);
    Write(good);
    Load();
    c.break_it();
    ExpectKept(c.reason);
    Write(good);
    EXPECT_FALSE(served_->Reload());
    EXPECT_TRUE(served_->Warnings().empty()) << "the files are fixed";
  }
}

TEST_F(ServedCertificateTest, I6AFileNeverAcceptsARevokedClientAgain) {
  const Made a = Make({.common_name = "Authority A", .authority = true});
  const Made b = Make({.common_name = "Authority B", .authority = true});
  const Made revoked = Make({.common_name = "revoked"}, &a);
  files_.client_ca = folder_.path() / "client-ca.pem";
  files_.client_crl = folder_.path() / "client-crl.pem";
  const std::string of_b = MakeList(b, {});
  const std::string old = MakeList(a, {}, ListOptions{.number = 7});
  WriteFile(files_.client_ca, a.pem() + b.pem());
  const std::string good = MakeList(a, {&revoked}, ListOptions{.number = 8}) + of_b;
  WriteFile(files_.client_crl, good);
  Load();
  const auto revokes = [&] {
    const auto holder =
        served_->tls()->trust().Identify(revoked.certificate.get(), nullptr, SystemClock().Wall());
    return !holder.has_value() && holder.error().message.contains("revoked by its authority");
  };
  ASSERT_TRUE(revokes());
  const std::pair<std::string, std::string> kContents[] = {
      {"", "client-crl.pem: the file is empty"},
      {"\n", "there is no revocation list"},
      {of_b, "client-crl.pem: the revocation list of 'CN=Authority A' is missing"},
      {old + of_b, "client-crl.pem: the revocation list of 'CN=Authority A' is older"}};
  for (const auto& [content, reason] : kContents) {
    SCOPED_TRACE(reason);
    WriteFile(files_.client_crl, content);
    ExpectKept(reason);
    EXPECT_TRUE(revokes());
    WriteFile(files_.client_crl, good);
    EXPECT_FALSE(served_->Reload());
    EXPECT_TRUE(served_->Warnings().empty());
  }
  WriteFile(files_.client_crl, MakeList(a, {&revoked}, ListOptions{.number = 9}) + of_b);
  EXPECT_TRUE(served_->Reload());
  EXPECT_TRUE(served_->Warnings().empty());
  EXPECT_TRUE(revokes());
}

TEST_F(ServedCertificateTest, I6AnAuthorityLeavesWithItsListAtOnce) {
  const Made root = Make({.common_name = "Root", .authority = true});
  const Made other = Make({.common_name = "Other", .authority = true});
  const Made stolen = Make({.common_name = "Stolen", .authority = true}, &root);
  const Made revoked = Make({.common_name = "revoked"}, &stolen);
  const Made good = Make({.common_name = "good"}, &stolen);
  files_.client_ca = folder_.path() / "client-ca.pem";
  files_.client_crl = folder_.path() / "client-crl.pem";
  const std::string of_other = MakeList(other, {});
  WriteFile(files_.client_ca, stolen.pem() + other.pem());
  WriteFile(files_.client_crl, MakeList(stolen, {&revoked}) + of_other);
  Load();
  const auto judged = [&](const Made& leaf) {
    const auto holder =
        served_->tls()->trust().Identify(leaf.certificate.get(), nullptr, SystemClock().Wall());
    return holder.has_value() ? holder->name : holder.error().message;
  };
  ASSERT_EQ(judged(good), "foreign:good");
  WriteFile(files_.client_ca, other.pem());
  WriteFile(files_.client_crl, of_other);
  EXPECT_TRUE(served_->Reload());
  EXPECT_TRUE(judged(good).contains("unknown authority")) << judged(good);
  WriteFile(files_.client_ca, other.pem() + root.pem() + stolen.pem());
  EXPECT_FALSE(served_->Reload()) << "it comes back without its list";
  STACK_OF(X509)* const sent = sk_X509_new_null();
  sk_X509_push(sent, stolen.certificate.get());
  WriteFile(files_.client_ca, other.pem() + root.pem());
  EXPECT_TRUE(served_->Reload());
  const auto holder =
      served_->tls()->trust().Identify(revoked.certificate.get(), sent, SystemClock().Wall());
  sk_X509_free(sent);
  ASSERT_FALSE(holder.has_value());
  EXPECT_TRUE(holder.error().message.contains("revoked by its authority"));
}

TEST_F(ServedCertificateTest, AnEmptyFileOfClientsIsNoStart) {
  const Made a = Make({.common_name = "Authority A", .authority = true});
  files_.client_ca = folder_.path() / "client-ca.pem";
  WriteFile(files_.client_ca, "");
  const auto no_authority = LoadCertificate(files_, Trust());
  ASSERT_FALSE(no_authority.has_value());
  EXPECT_EQ(no_authority.error().message,
            "registry.client_ca: " + files_.client_ca.native() +
                ": the file is empty; write its content again, or remove the key "
                "registry.client_ca and restart the daemon");
  WriteFile(files_.client_ca, a.pem());
  files_.client_crl = folder_.path() / "client-crl.pem";
  WriteFile(files_.client_crl, "");
  const auto no_list = LoadCertificate(files_, Trust());
  ASSERT_FALSE(no_list.has_value());
  EXPECT_TRUE(no_list.error().message.starts_with("registry.client_crl: "))
      << no_list.error().message;
  WriteFile(files_.client_crl, MakeList(a, {}));
  EXPECT_TRUE(LoadCertificate(files_, Trust()).has_value());
}

TEST_F(ServedCertificateTest, AnEmptiedClientCaKeepsTheAuthorities) {
  const Made a = Make({.common_name = "Authority A", .authority = true});
  const Made client = Make({.common_name = "build-7"}, &a);
  files_.client_ca = folder_.path() / "client-ca.pem";
  WriteFile(files_.client_ca, a.pem());
  Load();
  WriteFile(files_.client_ca, "");
  ExpectKept("client-ca.pem: the file is empty");
  EXPECT_TRUE(served_->tls()
                  ->trust()
                  .Identify(client.certificate.get(), nullptr, SystemClock().Wall())
                  .has_value());
}

TEST_F(ServedCertificateTest, ACertificateOfTheFutureReplacesNoValidOne) {
  const Made later = Make(
      {.common_name = "later", .usage = "serverAuth", .from = hours(24), .until = hours(24 * 60)});
  const Pair future{later.pem(), openssl::ToPem(later.key.get())};
  Load();
  Write(future);
  ExpectKept("server.crt: it is not valid before");
  clock_.Advance(hours(25));
  EXPECT_TRUE(served_->Reload()) << "its time has come";
  EXPECT_TRUE(served_->Warnings().empty());
  clock_.Advance(hours(-25));
  Load();
  ASSERT_TRUE(served_->WhyExpired().has_value()) << "a start has no other certificate";
  EXPECT_TRUE(served_->WhyExpired()->starts_with("the server certificate is not valid before "));
}

TEST_F(ServedCertificateTest, ReportsItsExpiry) {
  Write(Issue(hours(24 * 6)));
  Load();
  ASSERT_EQ(served_->Warnings().size(), 1U);
  EXPECT_NE(served_->Warnings()[0].find("expires at"), std::string::npos);
  clock_.Advance(hours(24 * 7));
  EXPECT_TRUE(served_->Warnings().empty());
  ASSERT_TRUE(served_->WhyExpired().has_value());
  EXPECT_NE(served_->WhyExpired()->find("expired at"), std::string::npos);
  Write(Issue(hours(24 * 30)));
  EXPECT_TRUE(served_->Reload());
  EXPECT_FALSE(served_->WhyExpired().has_value());
}

}  // namespace
}  // namespace outport
