#include <string>

#include "store/retention/evaluation.h"
#include "store/retention/policy_file.h"
#include "store/retention/version.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using namespace outport::store;
using fuzzing::Require;

// Parses the input as a file of policies and as a version. A valid file compiles, and decides about
// a tag.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(fuzzing::AsText(data, size));
  const auto policies = ParsePolicies(text, "f.yml");
  if (policies.has_value()) {
    const std::vector<TagFacts> tags = {{.name = Tag::Parse("v1.2.3-rc.1").value(),
                                         .digest = Digest::Of(DigestAlgorithm::kSha256, {})}};
    for (const v1::RetentionPolicy& policy : policies->policies()) {
      const auto compiled = CompiledPolicy::Compile(policy);
      Require(compiled.has_value(), "a valid policy compiles");
      Require(compiled->Evaluate(tags, 0).size() == 1, "each tag gets a decision");
    }
  } else {
    Require(policies.error().message.starts_with("f.yml:"), "a problem names its place");
  }
  const auto version = Version::Parse(text);
  if (version.has_value()) Require(*version == *version, "a version equals itself");
  return 0;
}
