#include "registry/security/pki/pem.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "registry/base/base64.h"

namespace outport::pem {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kTrusted = "TRUSTED CERTIFICATE";
constexpr std::string_view kDashes = "-----";
constexpr std::string_view kList = "X509 CRL";
constexpr size_t kMaxShown = 64;  // bytes of a label in an error

constexpr std::array<std::string_view, 2> kCertificates = {"CERTIFICATE", "X509 CERTIFICATE"};
constexpr std::array<std::string_view, 4> kKeys = {"PRIVATE KEY", "EC PRIVATE KEY",
                                                   "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"};
constexpr std::array<std::string_view, 4> kParameters = {"EC PARAMETERS", "DH PARAMETERS",
                                                         "X9.42 DH PARAMETERS", "DSA PARAMETERS"};

template <size_t size>
bool IsOneOf(const std::array<std::string_view, size>& labels, std::string_view label) {
  return std::ranges::find(labels, label) != labels.end();
}

bool IsOf(Kind kind, std::string_view label) {
  switch (kind) {
    case Kind::kCertificate:
      return IsOneOf(kCertificates, label);
    case Kind::kRevocationList:
      return label == kList;
    case Kind::kPrivateKey:
      return IsOneOf(kKeys, label);
  }
  std::unreachable();
}

// Returns whether a block may stand beside blocks of `kind`. No text has lists and keys.
bool MayAccompany(Kind kind, std::string_view label) {
  if (IsOneOf(kCertificates, label)) return true;
  if (label == kList) return kind != Kind::kPrivateKey;
  return kind != Kind::kRevocationList && (IsOneOf(kKeys, label) || IsOneOf(kParameters, label));
}

std::string_view WithoutTrailingSpace(std::string_view line) {
  const size_t last = line.find_last_not_of(" \t\r");
  return line.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

// Returns a label for an error. Other characters than visible ASCII become '?'.
std::string Shown(std::string_view label) {
  std::string shown(label.substr(0, kMaxShown));
  std::ranges::replace_if(shown, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return "'" + shown + "'";
}

Error AtLine(size_t line, std::string_view reason) {
  return Error{ErrorCode::kInvalidArgument,
               "line " + std::to_string(line) + ": " + std::string(reason)};
}

class Splitter {
 public:
  Splitter(std::string_view text, Kind kind) : text_(text), kind_(kind) {}

  Result<std::vector<Block>> Run() {
    std::vector<Block> blocks;
    while (Next()) {
      const std::optional<std::string_view> label = LabelOf(kBegin);
      if (!label.has_value()) {
        TRY_VOID(CheckOutside());
        continue;
      }
      TRY(Block block, ReadBlock(*label));
      if (IsOf(kind_, *label)) blocks.push_back(std::move(block));
    }
    if (!blocks.empty()) return blocks;
    return Error{ErrorCode::kInvalidArgument,
                 "there is no " + std::string(ToString(kind_)) + " in the PEM text"};
  }

 private:
  // Goes to the next line. Returns false at the end of the text.
  bool Next() {
    if (position_ == text_.size()) return false;
    ++number_;
    start_ = position_;
    const size_t end = text_.find('\n', position_);
    is_whole_ = end != std::string_view::npos;
    position_ = is_whole_ ? end + 1 : text_.size();
    line_ = WithoutTrailingSpace(text_.substr(start_, position_ - start_ - (is_whole_ ? 1 : 0)));
    return true;
  }

  // Returns the label of this line if it is `prefix`, a label and five dashes.
  std::optional<std::string_view> LabelOf(std::string_view prefix) const {
    if (!line_.starts_with(prefix) || !line_.ends_with(kDashes) ||
        line_.size() < prefix.size() + kDashes.size()) {
      return std::nullopt;
    }
    return line_.substr(prefix.size(), line_.size() - prefix.size() - kDashes.size());
  }

  // Checks a line outside the blocks: it must not be what is left of a block.
  Result<void> CheckOutside() const {
    if (line_.starts_with("#")) return {};
    std::string upper(line_);
    std::ranges::transform(upper, upper.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
    // A whole line between dashes is decoration, unless it may be a marker that somebody changed.
    if (is_whole_ && line_.starts_with("-") && line_.ends_with("-") && !upper.contains("BEGIN") &&
        !upper.contains("END")) {
      return {};
    }
    const bool is_marker = upper.contains("--BEGIN") || upper.contains("--END");
    if (is_marker && !line_.starts_with(kDashes)) {
      return AtLine(number_,
                    "a BEGIN or END line of a block must start with ----- at the "
                    "beginning of the line, without spaces before it");
    }
    if (line_.starts_with(kEnd)) return AtLine(number_, "the END line has no BEGIN line before it");
    if (line_.starts_with(kDashes)) return AtLine(number_, "the BEGIN line is not valid");
    // "---" alone is a line of 'openssl s_client'.
    if (line_.starts_with("----") || (line_.starts_with("-") && !is_whole_)) {
      return AtLine(number_, "a BEGIN line is truncated");
    }
    return {};
  }

  // Reads the block whose BEGIN line is the current line.
  Result<Block> ReadBlock(std::string_view label) {
    Block block;
    block.number = ++blocks_;
    block.line = number_;
    const size_t begin = start_;
    if (label == kTrusted) {
      return Invalid(block, "OpenSSL alone reads the label " + Shown(label) +
                                "; convert the file: openssl x509 -in FILE -out FILE");
    }
    if (!IsOf(kind_, label) && !MayAccompany(kind_, label)) {
      return Invalid(
          block, "the label " + Shown(label) + " is not that of a " + std::string(ToString(kind_)));
    }
    block.encrypted = label == "ENCRYPTED PRIVATE KEY";
    std::string body;
    const Result<void> read = ReadBody(label, block, body);
    if (read.has_value()) {
      std::optional<std::string> der = DecodeBase64(body, Base64::kStandard);
      block.text = text_.substr(begin, position_ - begin);
      Wipe(body);
      if (!der.has_value() || der->empty()) return Invalid(block, "its body is not valid base64");
      block.der = *std::move(der);
      return block;
    }
    Wipe(body);
    return read.error();
  }

  // Appends the lines of the body to `body`, up to the END line. A private key may have headers,
  // which say that it is encrypted.
  Result<void> ReadBody(std::string_view label, Block& block, std::string& body) {
    body.reserve(std::min<size_t>(text_.size() - position_, 1 << 20));
    bool in_headers = IsOneOf(kKeys, label);
    bool has_headers = false;
    for (bool is_first = true; Next(); is_first = false) {
      if (is_first && line_.empty()) continue;  // the end of no headers
      if (const auto end = LabelOf(kEnd)) {
        if (*end == label) return {};
        return Invalid(block, "its END line at line " + std::to_string(number_) +
                                  " has another label, " + Shown(*end));
      }
      if (line_.contains(kDashes)) {
        return Invalid(block, "it has no END line before line " + std::to_string(number_));
      }
      if (in_headers && line_.contains(':')) {
        has_headers = true;
        block.encrypted = true;
        continue;
      }
      if (in_headers && has_headers && !line_.empty()) {
        return Invalid(block, "line " + std::to_string(number_) + " must be empty");
      }
      const bool ends_headers = in_headers && has_headers;
      in_headers = false;
      if (ends_headers) continue;
      if (line_.empty()) {
        return Invalid(block, "line " + std::to_string(number_) + " is empty");
      }
      body += line_;
    }
    return Invalid(block, "it is truncated: it has no END line");
  }

  const std::string_view text_;
  const Kind kind_;
  size_t position_ = 0;    // of the next line
  size_t start_ = 0;       // of the current line
  size_t number_ = 0;      // of the current line, from 1
  size_t blocks_ = 0;      // read so far
  bool is_whole_ = false;  // whether the current line ends with a line feed
  std::string_view line_;
};

}  // namespace

std::string_view ToString(Kind kind) {
  switch (kind) {
    case Kind::kCertificate:
      return "certificate";
    case Kind::kRevocationList:
      return "revocation list";
    case Kind::kPrivateKey:
      return "private key";
  }
  std::unreachable();
}

Error Invalid(const Block& block, std::string_view reason) {
  return Error{ErrorCode::kInvalidArgument, "block " + std::to_string(block.number) + " at line " +
                                                std::to_string(block.line) + ": " +
                                                std::string(reason)};
}

Result<std::vector<Block>> Split(std::string_view text, Kind kind) {
  return Splitter(text, kind).Run();
}

}  // namespace outport::pem
