#include "registry/oci/digest.h"

#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// An accepted digest converts back to the same text.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  const auto digest = Digest::Parse(text);
  if (digest.has_value()) {
    Require(digest->ToString() == text, "a digest is written as it was read");
    Require(digest->hex().size() == (digest->algorithm() == DigestAlgorithm::kSha256 ? 64 : 128),
            "a digest has the size of its algorithm");
    Require(digest->hex().find_first_not_of("0123456789abcdef") == std::string::npos,
            "a digest is lowercase hex");
  } else {
    Require(digest.error().code == ErrorCode::kDigestInvalid, "a bad digest is DIGEST_INVALID");
  }
  (void)ParseDigestAlgorithm(text).has_value();
  return 0;
}
