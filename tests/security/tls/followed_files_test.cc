// No accident with a file that the registry port follows changes who may connect.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>

#include "registry/base/blocking_pool.h"
#include "registry/security/tls/served_certificate.h"
#include "tests/security/tls/certificate_maker.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

constexpr char kOwn[] = "URI:spiffe://outport/client/desktop";

// Authorities and clients, made once.
struct World {
  Made fleet = Make({.common_name = "Fleet root", .authority = true});
  Made server =
      Make({.common_name = "server", .usage = "serverAuth", .until = hours(24 * 60)}, &fleet);
  Made a = Make({.common_name = "A", .authority = true});
  Made b = Make({.common_name = "B", .authority = true});
  Made stranger = Make({.common_name = "Stranger", .authority = true});
  Made own = Make({.common_name = "x", .names = kOwn}, &fleet);
  Made good = Make({.common_name = "good"}, &a);
  Made revoked_by_a = Make({.common_name = "revoked-by-a"}, &a);
  Made revoked_by_b = Make({.common_name = "revoked-by-b"}, &b);
  Made unknown = Make({.common_name = "unknown"}, &stranger);

  static const World& Get() {
    static const World kWorld;
    return kWorld;
  }
};

// Returns `text` with its first block indented.
std::string WithFirstBlockIndented(const std::string& text) {
  const size_t end = text.find('\n', text.find("-----END")) + 1;
  std::string indented = "  ";
  for (size_t i = 0; i < end; ++i) {
    indented += text[i];
    if (text[i] == '\n' && i + 1 < end) indented += "  ";
  }
  return indented + text.substr(end);
}

// Returns `text` with another label at its first block.
std::string WithFirstBlockMislabelled(std::string text) {
  for (const std::string marker : {"-----BEGIN ", "-----END "}) {
    text.insert(text.find(marker) + marker.size(), "OUR ");
  }
  return text;
}

class FollowedFilesTest : public testing::Test {
 protected:
  FollowedFilesTest() {
    const World& world = World::Get();
    content_ = {{files_.certificate, world.server.pem() + world.fleet.pem()},
                {files_.key, openssl::ToPem(world.server.key.get())},
                {files_.fleet, world.fleet.pem()},
                {files_.client_ca, world.a.pem() + world.b.pem()},
                {files_.client_crl, MakeList(world.a, {&world.revoked_by_a}) +
                                        MakeList(world.b, {&world.revoked_by_b})}};
    for (const auto& [path, text] : content_) Write(path, text);
    served_ = std::make_unique<ServedCertificate>(
        ServedCertificate::Parts{.pool = pool_,
                                 .clock = clock_,
                                 .metrics = metrics_,
                                 .log = Log::Nowhere(),
                                 .files = files_,
                                 .on_reload = [](const auto&) {}},
        *LoadCertificate(files_, {}));
  }

  // Replaces whatever is at `path`.
  static void Write(const fs::path& path, const std::string& text) {
    fs::remove_all(path);
    std::ofstream(path) << text;
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  }
  std::string Judge(const Made& leaf) const {
    const auto holder =
        served_->tls()->trust().Identify(leaf.certificate.get(), nullptr, clock_.Wall());
    return holder.has_value() ? holder->name : holder.error().message;
  }
  void ExpectTheSameAccess() const {
    const World& world = World::Get();
    EXPECT_EQ(Judge(world.own), "desktop");
    EXPECT_EQ(Judge(world.good), "foreign:good");
    EXPECT_TRUE(Judge(world.revoked_by_a).contains("revoked by its authority"));
    EXPECT_TRUE(Judge(world.revoked_by_b).contains("revoked by its authority"));
    EXPECT_TRUE(Judge(world.unknown).contains("unknown authority"));
  }
  bool HasFailed() const {
    return metrics_.Render().contains("\noutport_server_certificate_reload_failed 1\n");
  }
  // `break_it` changes the file at its argument.
  void ExpectKept(const fs::path& path, const std::function<void(const fs::path&)>& break_it) {
    const auto shown = served_->tls();
    break_it(path);
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(served_->Reload());
    ASSERT_EQ(served_->Warnings().size(), 1U);
    EXPECT_TRUE(served_->Warnings()[0].contains(path.native())) << served_->Warnings()[0];
    EXPECT_TRUE(HasFailed());
    EXPECT_EQ(served_->tls(), shown);
    ExpectTheSameAccess();
    const auto at_start = LoadCertificate(files_, {});
    ASSERT_FALSE(at_start.has_value()) << "a start accepts no such file";
    EXPECT_TRUE(at_start.error().message.contains(path.native())) << at_start.error().message;

    Write(path, content_.at(path));
    EXPECT_FALSE(served_->Reload());
    EXPECT_TRUE(served_->Warnings().empty());
    EXPECT_FALSE(HasFailed());
  }

  TemporaryFolder folder_;
  const CertificateFiles files_{.certificate = folder_.path() / "server.crt",
                                .key = folder_.path() / "server.key",
                                .fleet = folder_.path() / "trusted.crt",
                                .client_ca = folder_.path() / "client-ca.pem",
                                .client_crl = folder_.path() / "client-crl.pem"};
  std::map<fs::path, std::string> content_;
  BlockingPool pool_{"test", 1, 10};
  SystemClock clock_;
  Metrics metrics_;
  std::unique_ptr<ServedCertificate> served_;
};

TEST_F(FollowedFilesTest, I14NoAccidentWithAFileChangesAccess) {
  const World& world = World::Get();
  const auto change = [](auto edit) {
    return [edit](const fs::path& path) {
      std::ifstream file(path);
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      Write(path, edit(text));
    };
  };
  const std::string of_another_kind = MakeList(world.a, {});
  const std::pair<const char*, std::function<void(const fs::path&)>> kAccidents[] = {
      {"empty", change([](const std::string&) { return std::string(); })},
      {"cut", change([](const std::string& text) { return text.substr(0, text.size() - 20); })},
      {"half-written",
       change([](const std::string& text) { return text.substr(0, text.size() / 3) + text; })},
      {"without its beginning", change([](const std::string& text) { return text.substr(40); })},
      {"indented", change(WithFirstBlockIndented)},
      {"mislabelled", change(WithFirstBlockMislabelled)},
      {"other kind", change([&](const std::string& text) {
         return text.contains("X509 CRL") ? world.a.pem() : of_another_kind;
       })},
      {"a folder",
       [](const fs::path& path) {
         fs::remove(path);
         fs::create_directory(path);
       }},
      {"missing", [](const fs::path& path) { fs::remove(path); }},
      {"unreadable", [](const fs::path& path) {
         fs::remove(path);
         fs::create_symlink(path.filename(), path);  // not even root can open it
       }}};
  ExpectTheSameAccess();
  for (const auto& [path, text] : content_) {
    for (const auto& [what, break_it] : kAccidents) {
      SCOPED_TRACE(path.filename().native() + ": " + what);
      ExpectKept(path, break_it);
    }
  }
}

TEST_F(FollowedFilesTest, I14ABadPartDelaysNoOther) {
  const World& world = World::Get();
  const std::string of_b = MakeList(world.b, {&world.revoked_by_b});
  Write(files_.certificate, "");
  Write(files_.client_crl, MakeList(world.a, {&world.revoked_by_a, &world.good}) + of_b);
  EXPECT_TRUE(served_->Reload());
  EXPECT_FALSE(served_->Reload());
  EXPECT_TRUE(Judge(world.good).contains("revoked by its authority")) << "a new list counts";
  ASSERT_EQ(served_->Warnings().size(), 1U);
  EXPECT_TRUE(served_->Warnings()[0].contains(files_.certificate.native()));

  const Made renewed =
      Make({.common_name = "server", .usage = "serverAuth", .until = hours(24 * 90)}, &world.fleet);
  const auto before = served_->not_after();
  Write(files_.client_crl, "");
  Write(files_.fleet, "");
  Write(files_.certificate, renewed.pem());
  Write(files_.key, openssl::ToPem(renewed.key.get()));
  EXPECT_TRUE(served_->Reload());
  EXPECT_GT(served_->not_after(), before) << "a new certificate counts";
  EXPECT_FALSE(served_->Reload());
  ASSERT_EQ(served_->Warnings().size(), 1U);
  EXPECT_TRUE(served_->Warnings()[0].contains(files_.client_crl.native()));
  EXPECT_TRUE(served_->Warnings()[0].contains(files_.fleet.native()));
  EXPECT_TRUE(Judge(world.good).contains("revoked by its authority"));
}

}  // namespace
}  // namespace outport
