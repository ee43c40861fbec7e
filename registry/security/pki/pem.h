#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"

// PEM text (RFC 7468), read strictly. OpenSSL skips a block that it does not recognise, so a
// template that indents the first of two revocation lists would silently remove it.
namespace outport::pem {

enum class Kind { kCertificate, kRevocationList, kPrivateKey };
std::string_view ToString(Kind kind);  // "revocation list"

struct Block {
  size_t number = 0;       // in the text, from 1
  size_t line = 0;         // of its BEGIN, from 1
  bool encrypted = false;  // a private key that needs a passphrase
  std::string_view text;   // from BEGIN to the end of the END line
  std::string der;         // the decoded body; wiped by the destructor

  Block() = default;
  Block(Block&&) noexcept = default;
  Block& operator=(Block&&) noexcept = default;
  ~Block() { Wipe(der); }
};

// Returns the blocks of `kind` in `text`, in order. The views point into `text`.
// - Every BEGIN line starts at the beginning of a line, and has its END line and a base64 body.
// - Every block is of `kind`. Certificates may be in one text with a private key and its
//   parameters, or with revocation lists: the blocks of another kind are checked and left out.
// - Other text may stand before, between and after the blocks, as openssl writes it. Lines that
//   begin with '#' may contain anything.
// kInvalidArgument names the block and its line, and the reason. Also kInvalidArgument if there is
// no block of `kind`.
Result<std::vector<Block>> Split(std::string_view text, Kind kind);

// Returns the error "block 2 at line 31: REASON".
Error Invalid(const Block& block, std::string_view reason);

}  // namespace outport::pem
