#include "store/retention/repository_tags.h"

#include <string>
#include <string_view>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/tag_rules.h"

namespace outport::store {
namespace {

constexpr size_t kTagsPerScan = 1000;

// Signing tools without the referrers API name the subject in the tag: "sha256-<hex>.sig".
std::optional<Digest> SubjectInName(std::string_view tag) {
  const size_t dash = tag.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view hex = tag.substr(dash + 1, tag.find('.') - dash - 1);
  const auto digest = Digest::Parse(std::string(tag.substr(0, dash)) + ":" + std::string(hex));
  if (!digest.has_value()) return std::nullopt;
  return *digest;
}

Result<bool> HasSubject(const MetaView& view, const RepositoryName& repository,
                        const TagFacts& tag) {
  TRY(const std::vector<Digest> subjects, SubjectsOf(view, repository, tag.name, tag.digest));
  for (const Digest& subject : subjects) {
    TRY(const bool here, HasRow(view, keys::ManifestOf(repository, subject)));
    if (here) return true;
  }
  return false;
}

}  // namespace

Result<std::vector<Digest>> SubjectsOf(const MetaView& view, const RepositoryName& repository,
                                       const Tag& tag, const Digest& digest) {
  std::vector<Digest> subjects;
  if (std::optional<Digest> named = SubjectInName(tag.ToString())) {
    subjects.push_back(*std::move(named));
  }
  TRY(const auto row, ReadRow<v1::ManifestRow>(view, keys::ManifestOf(repository, digest)));
  if (!row.has_value() || row->subject().empty()) return subjects;
  TRY(Digest subject, Digest::Parse(row->subject()));
  subjects.push_back(std::move(subject));
  return subjects;
}

Result<std::optional<std::vector<TagFacts>>> ReadTagFacts(const MetaView& view,
                                                          const RepositoryName& repository,
                                                          PullSearch* pulls) {
  TRY(const auto protection, TagProtection::Read(view, repository));
  const std::string prefix = keys::TagsOf(repository);
  std::vector<TagFacts> tags;
  for (ScanRange range{.prefix = prefix, .limit = kTagsPerScan};;) {
    TRY(const std::vector<KeyValue> rows, view.Scan(range));
    if (tags.size() + rows.size() > kMaxTagsOfRepository) {
      return std::optional<std::vector<TagFacts>>();
    }
    for (const KeyValue& row : rows) {
      TRY(const auto value, ParseRow<v1::TagRow>(row.key, row.value));
      TRY(Tag name, Tag::Parse(keys::After(row.key, prefix)));
      TRY(Digest digest, Digest::Parse(value.digest()));
      TagFacts tag{.name = std::move(name), .digest = std::move(digest)};
      tag.pushed_ms = value.updated_ms();
      if (const v1::TagRuleRow* const rule = protection.Find(tag.name)) {
        tag.protected_by = rule->name();
      }
      TRY(tag.has_subject, HasSubject(view, repository, tag));
      if (pulls != nullptr) {
        TRY(const LastPull pull, pulls->LastPullOf(tag.name, tag.digest));
        if (pulls->IsExhausted()) return std::optional<std::vector<TagFacts>>();
        tag.pulls_known = pull.is_complete;
        if (pull.row.has_value()) {
          tag.pulled_ms = pull.row->last_ms();
          tag.pulled_at = pull.row->node();
        }
      }
      tags.push_back(std::move(tag));
    }
    if (rows.size() < range.limit) return std::optional(std::move(tags));
    range.after = rows.back().key;
  }
}

}  // namespace outport::store
