#include "registry/security/pki/pem.h"

#include "registry/security/pki/openssl.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// Reads the input as each kind of PEM text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  for (const pem::Kind kind :
       {pem::Kind::kCertificate, pem::Kind::kRevocationList, pem::Kind::kPrivateKey}) {
    const auto blocks = pem::Split(text, kind);
    if (!blocks.has_value()) {
      Require(blocks.error().code == ErrorCode::kInvalidArgument, "the input is at fault");
      continue;
    }
    std::string joined;
    for (const pem::Block& block : *blocks) joined.append(block.text).append("\n");
    const auto again = pem::Split(joined, kind);
    Require(again.has_value() && again->size() == blocks->size(), "blocks are read again");
    for (size_t i = 0; i < blocks->size(); ++i) {
      Require((*again)[i].der == (*blocks)[i].der, "a block keeps its bytes");
    }
    if (kind != pem::Kind::kRevocationList) continue;
    const auto lists = openssl::ReadRevocationLists(text);
    Require(!lists.has_value() || lists->size() == blocks->size(), "no list is skipped");
  }
  (void)openssl::ReadCertificates(text);
  (void)openssl::ReadPrivateKey(text);
  return 0;
}
