#include "registry/oci/digest.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

constexpr std::string_view kEmptySha256 =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
// FIPS 180-2, "abc".
constexpr std::string_view kAbcSha256 =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view kAbcSha512 =
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(Digest, NamesAContent) {
  EXPECT_EQ(Digest::Of(DigestAlgorithm::kSha256, {}).ToString(), kEmptySha256);
  EXPECT_EQ(Digest::Of(DigestAlgorithm::kSha256, AsBytes("abc")).ToString(), kAbcSha256);
  EXPECT_EQ(Digest::Of(DigestAlgorithm::kSha512, AsBytes("abc")).ToString(), kAbcSha512);
}

TEST(Digest, ParsesWhatItWrites) {
  for (const std::string_view text : {kEmptySha256, kAbcSha256, kAbcSha512}) {
    const auto digest = Digest::Parse(text);
    ASSERT_TRUE(digest.has_value()) << digest.error().message;
    EXPECT_EQ(digest->ToString(), text);
    EXPECT_EQ(std::string(digest->algorithm_name()) + ":" + digest->hex(), text);
  }
}

TEST(Digest, RejectsAnythingElse) {
  const std::string hex(64, 'a');
  const std::string cases[] = {
      "",
      ":",
      "sha256",
      "sha256:",
      "sha256:baddigeststring",
      "sha256:" + hex.substr(1),
      "sha256:" + hex + "a",
      "sha256:" + std::string(64, 'A'),
      "sha256:" + std::string(63, 'a') + "g",
      "sha256:" + std::string(63, 'a') + std::string(1, '\0'),
      "SHA256:" + hex,
      "sha512:" + hex,
      "sha256:" + hex + hex,
      "sha384:" + std::string(96, 'a'),
      "blake3:" + hex,
      "md5:d41d8cd98f00b204e9800998ecf8427e",
      " sha256:" + hex,
      "sha256:" + hex + " ",
      "../../sha256:" + hex,
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    const auto digest = Digest::Parse(text);
    ASSERT_FALSE(digest.has_value());
    EXPECT_EQ(digest.error().code, ErrorCode::kDigestInvalid);
  }
}

TEST(Hasher, ContinuesAfterCurrent) {
  Hasher hasher(DigestAlgorithm::kSha256);
  EXPECT_EQ(hasher.Current().ToString(), kEmptySha256);
  hasher.Update(AsBytes("a"));
  EXPECT_EQ(hasher.Current(), Digest::Of(DigestAlgorithm::kSha256, AsBytes("a")));
  hasher.Update(AsBytes("bc"));
  EXPECT_EQ(hasher.Current().ToString(), kAbcSha256);
  EXPECT_EQ(hasher.Current().ToString(), kAbcSha256);
}

TEST(Hasher, CanBeMoved) {
  Hasher hasher(DigestAlgorithm::kSha512);
  hasher.Update(AsBytes("ab"));
  Hasher moved(std::move(hasher));
  moved.Update(AsBytes("c"));
  EXPECT_EQ(moved.Current().ToString(), kAbcSha512);
}

}  // namespace
}  // namespace outport
