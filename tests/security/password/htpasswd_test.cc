#include "registry/security/password/htpasswd.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

const std::string kHash = "$2y$05$n0MMMBN1iNfJzeGWFNNsPebH0s7QhYZQY7I3JNKDMciPGK9bnXxcW";

TEST(Htpasswd, IsReadLineByLine) {
  const auto users =
      ParseHtpasswd("# made by hand\n\nann:" + kHash + "\r\nbob:" + kHash);  // no last newline
  ASSERT_TRUE(users.has_value()) << users.error().message;
  ASSERT_EQ(users->size(), 2u);
  EXPECT_EQ(users->at(0).name, "ann");
  EXPECT_EQ(users->at(1).password_hash, kHash);
  EXPECT_EQ(FormatHtpasswd(users->at(1)), "bob:" + kHash + "\n");
  EXPECT_TRUE(ParseHtpasswd("")->empty());
}

struct Case {
  const char* what;
  std::string text;
  const char* says;
};

TEST(Htpasswd, ErrorsNameTheLine) {
  const Case kCases[] = {
      {"no colon", "ann:" + kHash + "\nbob\n", "line 2: no ':' found"},
      {"a bad name", "Ann:" + kHash, "line 1: "},
      {"Apache's MD5", "\nann:$apr1$abc$def", "line 2: the password hash is Apache's MD5"},
      {"SHA-1", "ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SHA}"},
      {"crypt", "ann:rl.3StKT.4T8M", "line 1: the password hash is"},
      {"plain", "ann:secret", "line 1: the password hash is"},
      {"more behind the hash", "ann:" + kHash + ":more", "line 1: "},
      {"twice", "ann:" + kHash + "\nann:" + kHash, "line 2: the user 'ann'"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const auto users = ParseHtpasswd(c.text);
    ASSERT_FALSE(users.has_value());
    EXPECT_NE(users.error().message.find(c.says), std::string::npos) << users.error().message;
    EXPECT_EQ(users.error().message.find("secret"), std::string::npos);
    EXPECT_EQ(users.error().message.find(kHash), std::string::npos);
  }
}

}  // namespace
}  // namespace outport
