#include "store/authority/authority_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/authority/fleet_files.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

namespace fs = std::filesystem;

class AuthorityFilesTest : public testing::Test {
 protected:
  AuthorityFilesTest() {
    created_ = *CreateAuthorityFiles(disk_, pki_, "outport", {"store.example.com"});
  }
  static unsigned ModeOf(const fs::path& path) {
    return static_cast<unsigned>(fs::status(path).permissions()) & 0777;
  }

  TemporaryFolder folder_;
  fs::path pki_ = folder_.path() / "data" / "pki";
  PosixFileSystem disk_;
  AuthorityFiles created_;
};

TEST_F(AuthorityFilesTest, LoadsCreatedFiles) {
  const auto loaded = LoadAuthorityFiles(pki_, "outport");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
  EXPECT_EQ(loaded->server_chain, created_.server_chain);
  EXPECT_EQ(loaded->server_key, created_.server_key);
  EXPECT_EQ(loaded->authority.domain, "outport");
  EXPECT_EQ(loaded->authority.root.certificate, created_.authority.root.certificate);
  EXPECT_EQ(loaded->authority.issuing.certificate, created_.authority.issuing.certificate);
  EXPECT_TRUE(loaded->authority.root.private_key.empty()) << "it only signs issuing CAs";
  EXPECT_EQ(pki::Inspect(loaded->server_chain)->role, Role::kStore);
}

TEST_F(AuthorityFilesTest, OnlyTheOwnerMayReadKeys) {
  EXPECT_EQ(ModeOf(pki_), 0700u);
  for (const char* key : {"root.key", "issuing.key", "server.key"}) {
    EXPECT_EQ(ModeOf(pki_ / key), 0600u) << key;
  }
}

TEST_F(AuthorityFilesTest, RejectsAKeyThatOthersMayRead) {
  for (const char* key : {"root.key", "issuing.key", "server.key"}) {
    ::chmod((pki_ / key).c_str(), 0640);
    const auto loaded = LoadAuthorityFiles(pki_, "outport");
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(loaded.error().message.find("chmod 600 " + (pki_ / key).native()), std::string::npos);
    ::chmod((pki_ / key).c_str(), 0600);
  }
}

TEST_F(AuthorityFilesTest, RejectsAFolderThatOthersMayEnter) {
  ::chmod(pki_.c_str(), 0750);
  const auto loaded = LoadAuthorityFiles(pki_, "outport");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(loaded.error().message.find("chmod 700 " + pki_.native()), std::string::npos)
      << loaded.error().message;
}

TEST_F(AuthorityFilesTest, KeysHaveTheRequestedType) {
  const fs::path other = folder_.path() / "rsa";
  const auto made =
      CreateAuthorityFiles(disk_, other, "outport", {"localhost"}, pki::KeyType::kRsa2048);
  ASSERT_TRUE(made.has_value()) << made.error().message;
  for (const char* file : {"root.crt", "issuing.crt", "server.crt"}) {
    EXPECT_EQ(pki::Describe(*ReadWholeFile(other / file))->key, "RSA 2048") << file;
    EXPECT_EQ(pki::Describe(*ReadWholeFile(pki_ / file))->key, "ECDSA P-256") << file;
  }
  // A new server key has the type of the missing one.
  fs::remove(other / "server.key");
  ASSERT_TRUE(ReplaceMissingServerKey(other, TrustStateOf(made->authority)).has_value());
  EXPECT_EQ(pki::Describe(*ReadWholeFile(other / "server.crt"))->key, "RSA 2048");
}

TEST_F(AuthorityFilesTest, NamesAMissingFile) {
  fs::remove(pki_ / "issuing.key");
  const auto loaded = LoadAuthorityFiles(pki_, "outport");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_NE(loaded.error().message.find("issuing.key"), std::string::npos);
}

TEST_F(AuthorityFilesTest, RejectsAnInvalidIssuingCa) {
  const auto other = *pki::CreateAuthority("outport");
  const auto refused = [this](const std::string& said) {
    const auto loaded = LoadAuthorityFiles(pki_, "outport");
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(loaded.error().message.find(said), std::string::npos) << loaded.error().message;
    EXPECT_NE(loaded.error().message.find("restore"), std::string::npos);
  };
  ASSERT_TRUE(ReplaceFile(pki_ / "issuing.key", "hello\n").has_value());
  refused("there is no private key in the PEM text");
  ASSERT_TRUE(ReplaceFile(pki_ / "issuing.key", other.issuing.private_key).has_value());
  refused("does not belong");
  ASSERT_TRUE(ReplaceFile(pki_ / "issuing.crt", other.issuing.certificate).has_value());
  refused("not signed by the root");
  ASSERT_TRUE(ReplaceFile(pki_ / "root.crt", "").has_value());
  refused("the root certificate");
  ASSERT_TRUE(ReplaceFile(pki_ / "root.crt", other.root.certificate).has_value());
  EXPECT_TRUE(LoadAuthorityFiles(pki_, "outport").has_value());
}

TEST_F(AuthorityFilesTest, TheRootKeyMayBeKeptOffline) {
  fs::remove(pki_ / "root.key");
  EXPECT_TRUE(LoadAuthorityFiles(pki_, "outport").has_value());
}

TEST_F(AuthorityFilesTest, AnAuthorityIsNeverReplaced) {
  const auto again = CreateAuthorityFiles(disk_, pki_, "outport", {"store.example.com"});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(LoadAuthorityFiles(pki_, "outport")->server_key, created_.server_key);
}

}  // namespace
}  // namespace outport::store
