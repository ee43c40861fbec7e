#include "store/init.h"

#include <sys/stat.h>

#include "registry/records/rows.h"
#include "store/authority/authority_files.h"
#include "store/daemon.h"
#include "store/open_store.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

class InitTest : public testing::Test {
 protected:
  InitOptions Options() {
    InitOptions options;
    options.config.data = folder_.path() / "data";
    options.config.registry.listen = "127.0.0.1:0";
    options.config.fleet_listen = "127.0.0.1:0";
    options.config.operations_listen = "127.0.0.1:0";
    options.config.fleet_address = "127.0.0.1:5001";
    options.host_names = {"127.0.0.1", "localhost"};
    return options;
  }
  static unsigned Mode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }
  TemporaryFolder folder_;
};

TEST_F(InitTest, CreatesAStoreThatServes) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  for (const char* name : {"ca.crt", "admin.crt", "admin.key", "outportctl.yml"}) {
    EXPECT_TRUE(fs::exists(made->admin_folder / name)) << name;
  }
  EXPECT_EQ(Mode(made->data / "pki"), 0700u);
  EXPECT_EQ(Mode(made->data / "pki" / "issuing.key"), 0600u);
  EXPECT_EQ(Mode(made->admin_folder / "admin.key"), 0600u);

  const auto config = LoadConfig(made->config_file);
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_TRUE(CheckStore(*config).has_value());
  auto daemon = StartStore(*config, "test");
  ASSERT_TRUE(daemon.has_value()) << daemon.error().message;
  const auto second = StartStore(*config, "test");
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message.find("in use by process"), std::string::npos);
  EXPECT_TRUE((*daemon)->Stop().has_value());
}

TEST_F(InitTest, I6TheRegistryAcceptsClientsOfItsFleetAlone) {
  InitOptions options = Options();
  options.domain = "example";
  const auto made = InitStore(options);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  PosixFileSystem files;
  const auto opened = OpenStore(*LoadConfig(made->config_file), files, Log::Nowhere(), "test");
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ(opened->certificate.options.trust.domain, "example");
}

TEST_F(InitTest, WritesTheFormatsOfItsData) {
  InitOptions options = Options();
  options.version = "1.2.3";
  ASSERT_TRUE(InitStore(options).has_value());
  const auto text = ReadWholeFile(options.config.data / "format");
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_TRUE(text->ends_with("\nwritten-by 1.2.3\n")) << *text;
  const auto format = ReadStoreFormat(options.config.data);
  ASSERT_TRUE(format.has_value()) << format.error().message;
  for (const std::string& line : format->Describe()) {
    EXPECT_EQ(line.find("upgrades"), std::string::npos) << line;
  }
}

// A loop of symbolic links fails like a folder without permission, also for root.
TEST_F(InitTest, TellsAFolderThatItCannotReadFromOneWithoutAStore) {
  const fs::path data = folder_.path() / "other";
  fs::create_directories(data);
  EXPECT_NE(ReadStoreFormat(data).error().message.find("holds no store"), std::string::npos);
  fs::create_symlink("meta", data / "meta");
  const auto unreadable = ReadStoreFormat(data);
  ASSERT_FALSE(unreadable.has_value());
  EXPECT_EQ(unreadable.error().message.find("holds no store"), std::string::npos);
  EXPECT_TRUE(
      unreadable.error().message.starts_with("cannot read the data folder " + data.native()))
      << unreadable.error().message;
}

TEST_F(InitTest, I15RefusesNewerDataBeforeItOpensThem) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  const auto config = LoadConfig(made->config_file);
  ASSERT_TRUE(
      ReplaceFile(made->data / "format", "store-metadata 99\nwritten-by 9.9.9\n").has_value());
  fs::remove_all(made->data / "lock");
  fs::remove_all(made->data / "meta" / "CURRENT");  // so an attempt to open it would fail otherwise
  for (const auto& error : {CheckStore(*config).error(), StartStore(*config, "test").error()}) {
    EXPECT_EQ(error.code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(error.message.find("has format 99"), std::string::npos) << error.message;
  }
  EXPECT_FALSE(fs::exists(made->data / "lock"));
  EXPECT_FALSE(fs::exists(made->data / "meta" / "CURRENT"));
}

TEST_F(InitTest, UpgradesDataOfTheFirstFormat) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  fs::remove(made->data / "format");  // the first format has no such file
  const auto config = LoadConfig(made->config_file);
  auto daemon = StartStore(*config, "1.2.3");
  ASSERT_TRUE(daemon.has_value()) << daemon.error().message;
  EXPECT_TRUE((*daemon)->Stop().has_value());
  EXPECT_TRUE(ReadWholeFile(made->data / "format").value_or("").ends_with("written-by 1.2.3\n"));
}

TEST_F(InitTest, RejectsAFolderThatHoldsAStore) {
  ASSERT_TRUE(InitStore(Options()).has_value());
  const auto again = InitStore(Options());
  ASSERT_EQ(CodeOf(again), ErrorCode::kFailedPrecondition);
  EXPECT_NE(again.error().message.find("holds a store already"), std::string::npos);
  EXPECT_TRUE(fs::exists(folder_.path() / "data" / "pki" / "root.key"));
}

TEST_F(InitTest, AFailedAttemptCanBeRepeated) {
  InitOptions options = Options();
  options.config.data /= "";  // a trailing slash changes nothing
  options.admin_name = "Not A Name";
  EXPECT_FALSE(InitStore(options).has_value());
  options.admin_name = "admin";
  const auto made = InitStore(options);
  EXPECT_TRUE(made.has_value()) << made.error().message;
}

TEST_F(InitTest, TheFleetAddressMustBeInTheCertificate) {
  InitOptions options = Options();
  options.config.fleet_address = "elsewhere:5001";
  const auto refused = InitStore(options);
  ASSERT_EQ(CodeOf(refused), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("add --name elsewhere"), std::string::npos);
  EXPECT_FALSE(fs::exists(options.config.data));
}

TEST_F(InitTest, CreatesNothingThatServeWouldReject) {
  struct Case {
    const char* what;
    void (*spoil)(InitOptions&);
    const char* said;
  };
  const Case cases[] = {
      {"a host name to listen on",
       [](InitOptions& o) { o.config.registry.listen = "localhost:5000"; }, "'registry.listen'"},
      {"no address", [](InitOptions& o) { o.config.operations_listen = "5002"; },
       "'operations.listen'"},
      {"one address twice",
       [](InitOptions& o) {
         o.config.registry.listen = "127.0.0.1:5000";
         o.config.operations_listen = "127.0.0.1:5000";
       },
       "is already used by"},
      {"a name that is none", [](InitOptions& o) { o.host_names.emplace_back("bad name!"); },
       "--name: 'bad name!'"},
      {"a configuration without a folder",
       [](InitOptions& o) { o.config_file = "/nonexistent/x.yml"; }, "another --config-out"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    InitOptions options = Options();
    c.spoil(options);
    const auto refused = InitStore(options);
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find(c.said), std::string::npos) << refused.error().message;
    EXPECT_FALSE(fs::exists(options.config.data)) << "no file was created";
  }
}

TEST_F(InitTest, RejectsAFleetAddressThatTheCertificateDoesNotName) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  std::string text = *ReadWholeFile(made->config_file);
  text.replace(text.find("127.0.0.1:5001"), 14, "elsewhere:5001");
  const auto config = ParseConfig(text, "store.yml");
  ASSERT_TRUE(config.has_value());
  for (const auto& error : {CheckStore(*config).error(), StartStore(*config, "test").error()}) {
    EXPECT_TRUE(error.message.starts_with("store.yml:5: 'fleet.address'")) << error.message;
    EXPECT_NE(error.message.find("not for 'elsewhere'"), std::string::npos) << error.message;
  }
}

TEST_F(InitTest, ACheckWarnsOfAnHtpasswdFileWithoutAUser) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value()) << made.error().message;
  Config config = *LoadConfig(made->config_file);
  EXPECT_TRUE(CheckStore(config)->empty());
  config.access.htpasswd_file = made->data.parent_path() / "htpasswd";
  ASSERT_TRUE(ReplaceFile(config.access.htpasswd_file, "# nobody\n", 0600).has_value());
  const auto warnings = CheckStore(config);
  ASSERT_TRUE(warnings.has_value()) << warnings.error().message;
  ASSERT_EQ(warnings->size(), 1U);
  EXPECT_NE(warnings->front().find("htpasswd has no user"), std::string::npos);
}

TEST_F(InitTest, ServeExplainsAnEmptyFolder) {
  Config config = Options().config;
  fs::create_directories(config.data);
  for (const auto& error : {StartStore(config, "test").error(), CheckStore(config).error()}) {
    EXPECT_EQ(error.code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(error.message.find("outport-store init --data"), std::string::npos);
  }
}

TEST_F(InitTest, NamesAMissingKeyAndAKeyThatOthersMayRead) {
  const auto made = InitStore(Options());
  ASSERT_TRUE(made.has_value());
  const auto config = LoadConfig(made->config_file);
  const fs::path key = made->data / "pki" / "server.key";
  fs::permissions(key, fs::perms(0644));
  EXPECT_NE(CheckStore(*config).error().message.find("chmod 600"), std::string::npos);
  fs::remove(key);
  EXPECT_NE(CheckStore(*config).error().message.find("server.key is missing"), std::string::npos);
}

}  // namespace
}  // namespace outport::store
