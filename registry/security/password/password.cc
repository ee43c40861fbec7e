#include "registry/security/password/password.h"

#include <crypt.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

namespace outport {
namespace {

constexpr int kMinCost = 4;
// A verification of this cost takes 1.5 s. A higher cost would delay other logins too long.
constexpr int kMaxCost = 15;
constexpr size_t kBcryptBytes = 60;
constexpr std::string_view kOwnPrefix = "$2b$";  // of the hashes of HashPassword()

struct Format {
  std::string_view prefix;
  std::string_view name;
};
constexpr std::array kOtherFormats = {
    Format{"$apr1$", "Apache's MD5 ($apr1$)"}, Format{"{SHA}", "unsalted SHA-1 ({SHA})"},
    Format{"{SSHA}", "salted SHA-1 ({SSHA})"}, Format{"$1$", "MD5-crypt ($1$)"},
    Format{"$5$", "SHA-256-crypt ($5$)"},      Format{"$6$", "SHA-512-crypt ($6$)"},
    Format{"$2x$", "broken bcrypt ($2x$)"},    Format{"$y$", "yescrypt ($y$)"},
    Format{"$argon2", "Argon2 ($argon2)"},
};

// The 32 KiB workspace of crypt_r. The destructor wipes it, because it contains the password.
struct Workspace {
  Workspace() : data(std::make_unique<crypt_data>()) {}
  ~Workspace() { OPENSSL_cleanse(data.get(), sizeof(crypt_data)); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  std::unique_ptr<crypt_data> data;
};

// A null-terminated copy of the password for crypt_r. The destructor wipes it.
class SecretText {
 public:
  explicit SecretText(std::string_view text) : text_(text) {}
  ~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  const char* c_str() const { return text_.c_str(); }

 private:
  std::string text_;
};

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Error BadPassword(const std::string& why) { return Error{ErrorCode::kInvalidArgument, why}; }

// crypt_r() takes a null-terminated text.
bool IsAcceptable(std::string_view password) {
  return !password.empty() && password.find('\0') == std::string_view::npos;
}

// Returns the part of a password that bcrypt uses.
std::string_view HeadOf(std::string_view password) { return password.substr(0, kMaxPasswordBytes); }

// Whether the hash may be that of a longer password which begins with `password`. Programs like
// htpasswd ignore further bytes without a word. The hashes of HashPassword() begin with $2b$, and
// are always those of a whole password.
bool MayBePartOfLongerPassword(std::string_view password, std::string_view hash) {
  return password.size() == kMaxPasswordBytes && !hash.starts_with(kOwnPrefix);
}

bool IsBcryptAlphabet(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '/';
}

bool IsBcrypt(std::string_view hash) {
  return hash.size() == kBcryptBytes && hash.starts_with("$2") &&
         (hash[2] == 'a' || hash[2] == 'b' || hash[2] == 'y') && hash[3] == '$' && hash[4] >= '0' &&
         hash[4] <= '9' && hash[5] >= '0' && hash[5] <= '9' && hash[6] == '$' &&
         std::ranges::all_of(hash.substr(7), IsBcryptAlphabet);
}

std::string_view NameOfFormat(std::string_view hash) {
  for (const Format& format : kOtherFormats) {
    if (hash.starts_with(format.prefix)) return format.name;
  }
  if (hash.size() == 13 && std::ranges::all_of(hash, IsBcryptAlphabet)) return "DES crypt";
  return hash.starts_with("$2") ? "invalid bcrypt" : "of an unknown format";
}

// REQUIRES: IsBcrypt(hash).
int CostOf(std::string_view hash) { return (hash[4] - '0') * 10 + (hash[5] - '0'); }

}  // namespace

Result<void> CheckNewPassword(std::string_view password) {
  if (password.empty()) return BadPassword("the password is empty");
  if (password.starts_with(kByteOrderMark)) {
    return BadPassword(
        "the password begins with a byte order mark, which nobody types at a login; write the "
        "password without it (UTF-8 without BOM)");
  }
  if (std::ranges::any_of(password, IsControl)) {
    return BadPassword(
        "the password contains a control character, such as a tab or a zero byte; clients cannot "
        "send it at a login");
  }
  if (password.size() > kMaxPasswordBytes) {
    return BadPassword("the password has " + std::to_string(password.size()) +
                       " bytes; choose one of at most 72 bytes, because bcrypt would ignore the "
                       "rest");
  }
  return {};
}

Result<std::string> HashPassword(std::string_view password, int cost) {
  TRY_VOID(CheckNewPassword(password));
  if (cost < kMinCost || cost > kMaxCost) {
    return Error{ErrorCode::kInvalidArgument, "the cost of bcrypt must be 4 to 15"};
  }
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
  if (crypt_gensalt_rn(kOwnPrefix.data(), static_cast<unsigned long>(cost), nullptr, 0, salt.data(),
                       static_cast<int>(salt.size())) == nullptr) {
    return ErrnoError(errno, "making a salt for", "a password");
  }
  const Workspace workspace;
  const SecretText text(password);
  const char* hash = crypt_r(text.c_str(), salt.data(), workspace.data.get());
  if (hash == nullptr || !IsBcrypt(hash)) {
    return Error{ErrorCode::kInternal, "hashing a password: libcrypt does not support bcrypt"};
  }
  return std::string(hash);
}

bool VerifyPassword(std::string_view password, const std::string& hash) {
  if (!IsAcceptable(password) || !CheckPasswordHash(hash).has_value()) return false;
  const Workspace workspace;
  const SecretText text(HeadOf(password));
  const char* made = crypt_r(text.c_str(), hash.c_str(), workspace.data.get());
  if (made == nullptr || std::string_view(made).size() != hash.size()) return false;
  const bool same = CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
  return same && !MayBePartOfLongerPassword(password, hash);
}

void PadToDefaultCost(std::string_view password, const std::string& hash) {
  if (!IsAcceptable(password) || !CheckPasswordHash(hash).has_value()) return;
  const Workspace workspace;
  const SecretText text(HeadOf(password));
  static_assert(kDefaultBcryptCost <= 10, "the settings below have one digit");
  // Each step of the cost doubles the work. So for a hash of cost 5, the total is 2^5 + 2^5 + 2^6 +
  // ... + 2^9 = 2^10.
  for (int cost = CostOf(hash); cost < kDefaultBcryptCost; ++cost) {
    const std::string setting = "$2b$0" + std::to_string(cost) + "$kuewjqBXq8oBhpxDIR9o4.";
    crypt_r(text.c_str(), setting.c_str(), workspace.data.get());
  }
}

Result<void> CheckPasswordHash(std::string_view hash) {
  if (!IsBcrypt(hash)) {
    return Error{ErrorCode::kInvalidArgument,
                 "the password hash is " + std::string(NameOfFormat(hash)) +
                     "; only bcrypt is accepted ($2a$, $2b$, $2y$: htpasswd -B)"};
  }
  const int cost = CostOf(hash);
  if (cost < kMinCost || cost > kMaxCost) {
    return Error{ErrorCode::kInvalidArgument, "the password hash is bcrypt of cost " +
                                                  std::to_string(cost) + "; 4 to 15 is accepted"};
  }
  return {};
}

}  // namespace outport
