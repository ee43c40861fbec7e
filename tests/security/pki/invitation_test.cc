#include "registry/security/pki/invitation.h"

#include <gtest/gtest.h>

#include "registry/base/bytes.h"

namespace outport {
namespace {

InvitationToken SomeToken() {
  return {"store.example.com:5001", RandomHex(32), "eu-west", RandomHex(32)};
}

TEST(InvitationToken, DecodesWhatItEncodes) {
  const InvitationToken token = SomeToken();
  const std::string text = token.Encode();
  EXPECT_TRUE(text.starts_with("outport1."));
  EXPECT_EQ(text.find_first_of(" \n/+="), std::string::npos) << "needs no quoting in a shell";
  const auto decoded = InvitationToken::Decode("  " + text + "\n");
  ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
  EXPECT_EQ(decoded->store_address, token.store_address);
  EXPECT_EQ(decoded->root_fingerprint, token.root_fingerprint);
  EXPECT_EQ(decoded->node, token.node);
  EXPECT_EQ(decoded->secret, token.secret);
}

TEST(InvitationToken, DetectsTruncation) {
  const std::string text = SomeToken().Encode();
  for (size_t size = 0; size < text.size(); ++size) {
    const auto decoded = InvitationToken::Decode(text.substr(0, size));
    ASSERT_FALSE(decoded.has_value()) << size;
    EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(InvitationToken, DetectsAlteration) {
  const std::string text = SomeToken().Encode();
  for (size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(InvitationToken::Decode(altered).has_value()) << i;
  }
  EXPECT_FALSE(InvitationToken::Decode(text + text).has_value());
}

TEST(InvitationToken, ErrorsDoNotContainTheSecret) {
  const std::string text = SomeToken().Encode();
  const auto decoded = InvitationToken::Decode(text.substr(0, text.size() - 1));
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().message.find(text.substr(9, 20)), std::string::npos);
}

TEST(InvitationSecret, IsStoredAsAHash) {
  EXPECT_EQ(HashInvitationSecret("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace outport
