#include "store/gc/content_key.h"

#include <optional>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

Error Corrupt(std::string_view key) {
  return Error{ErrorCode::kCorrupt, "the key '" + Printable(key) + "' of the metadata is corrupt"};
}

// Parses <repo>\0<digest>.
std::optional<ContentKey> ParseContent(std::string_view text) {
  const size_t end = text.find(keys::kSeparator);
  if (end == std::string_view::npos) return std::nullopt;
  Result<RepositoryName> repository = RepositoryName::Parse(text.substr(0, end));
  Result<Digest> digest = Digest::Parse(text.substr(end + 1));
  if (!repository.has_value() || !digest.has_value()) return std::nullopt;
  return ContentKey{*std::move(repository), *std::move(digest)};
}

}  // namespace

Result<ContentKey> ContentOf(const std::string& repository, const std::string& digest) {
  TRY(RepositoryName name, RepositoryName::Parse(repository));
  TRY(Digest parsed, Digest::Parse(digest));
  return ContentKey{std::move(name), std::move(parsed)};
}

Result<ContentKey> ParseContentKey(std::string_view key, std::string_view prefix) {
  std::optional<ContentKey> content = ParseContent(keys::After(key, prefix));
  if (!content.has_value()) return Corrupt(key);
  return *std::move(content);
}

Result<QueuedLink> ParseQueuedLink(std::string_view key) {
  const std::string_view rest = keys::After(key, keys::kCondemned);
  const size_t end = rest.find(keys::kSeparator);
  if (end == std::string_view::npos) return Corrupt(key);
  const std::optional<int64_t> due_ms = keys::ParseTimeText(rest.substr(0, end));
  std::optional<ContentKey> content = ParseContent(rest.substr(end + 1));
  if (!due_ms.has_value() || !content.has_value()) return Corrupt(key);
  return QueuedLink{.due_ms = *due_ms, .content = *std::move(content)};
}

std::string KeyOf(const QueuedLink& link) {
  return keys::Condemned(link.due_ms, link.content.repository, link.content.digest);
}

}  // namespace outport::store
