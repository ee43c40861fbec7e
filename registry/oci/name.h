#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <variant>

#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// The name of a repository, for example "library/busybox" (<name> in OCI distribution-spec,
// "Pulling manifests"). At most 255 bytes. A value type.
class RepositoryName {
 public:
  // kNameInvalid names `text` and the rule.
  static Result<RepositoryName> Parse(std::string_view text);
  const std::string& ToString() const { return text_; }
  auto operator<=>(const RepositoryName&) const = default;

 private:
  explicit RepositoryName(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// A tag: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}. A value type.
class Tag {
 public:
  static Result<Tag> Parse(std::string_view text);  // kTagInvalid
  const std::string& ToString() const { return text_; }
  auto operator<=>(const Tag&) const = default;

 private:
  explicit Tag(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// The reference after /manifests/ in a URL. A reference with a ':' is a digest, any other a tag.
using Reference = std::variant<Tag, Digest>;
Result<Reference> ParseReference(std::string_view text);  // kTagInvalid, kDigestInvalid
std::string ToString(const Reference& reference);

}  // namespace outport
