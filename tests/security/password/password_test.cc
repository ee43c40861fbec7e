#include "registry/security/password/password.h"

#include <gtest/gtest.h>
#include <time.h>

#include <functional>

namespace outport {
namespace {

constexpr int kFast = 4;

TEST(Password, VerifiesAgainstItsHash) {
  const auto hash = HashPassword("correct horse", kFast);
  ASSERT_TRUE(hash.has_value()) << hash.error().message;
  EXPECT_TRUE(hash->starts_with("$2b$04$"));
  EXPECT_TRUE(VerifyPassword("correct horse", *hash));
  EXPECT_FALSE(VerifyPassword("correct hors", *hash));
  EXPECT_FALSE(VerifyPassword("", *hash));
}

TEST(Password, HasItsOwnSalt) {
  EXPECT_NE(*HashPassword("the same", kFast), *HashPassword("the same", kFast));
}

TEST(Password, AcceptsHashesOfHtpasswd) {
  // htpasswd -nbB -C 5 u secret
  const std::string hash = "$2y$05$n0MMMBN1iNfJzeGWFNNsPebH0s7QhYZQY7I3JNKDMciPGK9bnXxcW";
  EXPECT_TRUE(CheckPasswordHash(hash).has_value());
  EXPECT_TRUE(VerifyPassword("secret", hash));
}

// The hash of 80 bytes 'k' by htpasswd -nbB -C 4.
constexpr const char* kHashOfLongPassword =
    "$2y$04$kuewjqBXq8oBhpxDIR9o4.J1BScLoqRpZd70EOqmbFDhYwBNrI6o.";

TEST(Password, ALongPasswordLogsInWithAHashOfHtpasswd) {
  EXPECT_TRUE(VerifyPassword(std::string(80, 'k'), kHashOfLongPassword));
  EXPECT_FALSE(VerifyPassword(std::string(80, 'l'), kHashOfLongPassword));
  EXPECT_FALSE(VerifyPassword(std::string(71, 'k'), kHashOfLongPassword));
}

TEST(Password, TheFirst72BytesOfALongPasswordAreNotEnough) {
  EXPECT_FALSE(VerifyPassword(std::string(72, 'k'), kHashOfLongPassword));
  const std::string own = *HashPassword(std::string(72, 'k'), kFast);
  EXPECT_TRUE(VerifyPassword(std::string(72, 'k'), own)) << "a hash of ours is of a whole password";
}

struct NewPasswordCase {
  std::string password;
  const char* named;
};

TEST(NewPassword, ThatCannotLogInIsRejectedByName) {
  const NewPasswordCase kCases[] = {
      {"", "empty"},
      {std::string(73, 'a'), "has 73 bytes"},
      {std::string("a\0b", 3), "control character"},
      {"tab\tulator", "control character"},
      {"rub\x7fout", "control character"},
      {"\xef\xbb\xbfsecret", "byte order mark"},
      {std::string("\xff\xfes\0e\0", 6), "control character"},  // UTF-16 from a pipe
  };
  for (const NewPasswordCase& c : kCases) {
    SCOPED_TRACE(c.named);
    const auto hash = HashPassword(c.password, kFast);
    ASSERT_FALSE(hash.has_value());
    EXPECT_EQ(hash.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(hash.error().message.find(c.named), std::string::npos) << hash.error().message;
  }
  for (const std::string& password : {std::string(72, 'a'), std::string("p\xc3\xa4ss w\xf6rd:")}) {
    const auto hash = HashPassword(password, kFast);
    ASSERT_TRUE(hash.has_value()) << hash.error().message;
    EXPECT_TRUE(VerifyPassword(password, *hash));
  }
}

struct Case {
  const char* hash;
  const char* named;
};

// The processor time of this thread. Other load does not add to it.
double SecondsOf(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  work();
  return now() - begin;
}

TEST(Password, AWrongPasswordCostsTheSameForACheapHash) {
  const std::string usual = *HashPassword("secret", kDefaultBcryptCost);
  const double whole = SecondsOf([&] { EXPECT_FALSE(VerifyPassword("wrong", usual)); });
  for (const int cost : {4, 7, 9}) {
    const std::string cheap = *HashPassword("secret", cost);
    const double took = SecondsOf([&] {
      EXPECT_FALSE(VerifyPassword("wrong", cheap));
      PadToDefaultCost("wrong", cheap);
    });
    // A cheap hash alone would be at most half of it; the work must not double either.
    EXPECT_GT(took / whole, 0.6) << "cost " << cost;
    EXPECT_LT(took / whole, 1.8) << "cost " << cost;
  }
  EXPECT_LT(SecondsOf([&] { PadToDefaultCost("wrong", usual); }), whole / 4);
}

TEST(PasswordHash, OfOtherFormatsIsRejectedByName) {
  constexpr Case kCases[] = {
      {"$apr1$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbb", "$apr1$"},
      {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SHA}"},
      {"rqXexS6ZhobKA", "DES crypt"},
      {"$1$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbb", "MD5-crypt"},
      {"$6$aaaa$bbbb", "SHA-512-crypt"},
      {"$y$j9T$aaaa$bbbb", "yescrypt"},
      {"$2x$10$abcdefghijklmnopqrstuuRh0z3ZL3nMqPbFlnu6o7DqYxTjI5pJq", "$2x$"},
      {"$2b$10$tooshort", "invalid bcrypt"},
      {"$2b$31$abcdefghijklmnopqrstuuRh0z3ZL3nMqPbFlnu6o7DqYxTjI5pJq", "cost 31"},
      {"plain", "of an unknown format"},
      {"", "of an unknown format"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.hash);
    const auto result = CheckPasswordHash(c.hash);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(result.error().message.find(c.named), std::string::npos) << result.error().message;
    EXPECT_FALSE(VerifyPassword("plain", c.hash));
  }
}

}  // namespace
}  // namespace outport
