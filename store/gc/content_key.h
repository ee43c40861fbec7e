#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"

namespace outport::store {

// A digest in a repository: a link or a manifest.
struct ContentKey {
  RepositoryName repository;
  Digest digest;

  auto operator<=>(const ContentKey&) const = default;
};
// Parses the name of a repository and the text of a digest.
Result<ContentKey> ContentOf(const std::string& repository, const std::string& digest);

// A link in the queue of condemned links.
struct QueuedLink {
  int64_t due_ms = 0;  // the time in the key of the queue's row
  ContentKey content;
};

// Parses the key of a row link/, manifest/ or untagged/; `prefix` names which. kCorrupt names the
// key.
Result<ContentKey> ParseContentKey(std::string_view key, std::string_view prefix);
// Parses the key of a row condemned/.
Result<QueuedLink> ParseQueuedLink(std::string_view key);
// Returns that key.
std::string KeyOf(const QueuedLink& link);

}  // namespace outport::store
