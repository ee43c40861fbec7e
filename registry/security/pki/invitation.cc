#include "registry/security/pki/invitation.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "registry/base/base64.h"
#include "registry/base/bytes.h"
#include "registry/security/pki/identity.h"

namespace outport {
namespace {

constexpr std::string_view kPrefix = "outport1.";
constexpr size_t kMaxTokenBytes = 2048;
constexpr size_t kHexBytes = 64;  // 256 bits
constexpr size_t kChecksumBytes = 4;
constexpr char kSeparator = '\n';

// Returns a checksum that detects a truncated or mistyped token. It does not prove who made the
// token.
std::string Checksum(std::string_view text) {
  const uint32_t crc = Crc32c(AsBytes(text));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((crc >> shift) & 0xff);
  return bytes;
}

bool IsHex(std::string_view text) {
  return text.size() == kHexBytes && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::vector<std::string> SplitParts(std::string_view text) {
  std::vector<std::string> parts;
  for (size_t end = 0; end != std::string_view::npos;) {
    end = text.find(kSeparator);
    parts.emplace_back(text.substr(0, end));
    if (end != std::string_view::npos) text.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace

std::string InvitationToken::Encode() const {
  const std::string body =
      store_address + kSeparator + root_fingerprint + kSeparator + node + kSeparator + secret;
  return std::string(kPrefix) + EncodeBase64(body + Checksum(body), Base64::kUrl);
}

Result<InvitationToken> InvitationToken::Decode(std::string_view text) {
  text = Trimmed(text);
  // Error texts never contain the token, because it is a secret.
  if (!text.starts_with(kPrefix) || text.size() > kMaxTokenBytes) {
    return Error{ErrorCode::kInvalidArgument,
                 "not an invitation token: it must begin with 'outport1.'; create one with "
                 "'outportctl node invite NAME'"};
  }
  const Error corrupt{ErrorCode::kInvalidArgument,
                      "the invitation token is truncated or altered; copy it again as a whole"};
  const auto bytes = DecodeBase64(text.substr(kPrefix.size()), Base64::kUrl);
  if (!bytes.has_value() || bytes->size() <= kChecksumBytes) return corrupt;
  const std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - kChecksumBytes);
  if (!bytes->ends_with(Checksum(body))) return corrupt;
  std::vector<std::string> parts = SplitParts(body);
  if (parts.size() != 4 || parts[0].empty() || !IsHex(parts[1]) || !IsHex(parts[3]) ||
      !ParseSubjectName(parts[2]).has_value()) {
    return corrupt;
  }
  return InvitationToken{std::move(parts[0]), std::move(parts[1]), std::move(parts[2]),
                         std::move(parts[3])};
}

std::string HashInvitationSecret(std::string_view secret) {
  std::array<std::byte, 32> digest;
  // A fast hash is sufficient, because nobody can guess 256 random bits.
  if (EVP_Digest(secret.data(), secret.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 nullptr, EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return ToHex(digest);
}

}  // namespace outport
