#include "store/admin/tag_verbs.h"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "store/admin/paging.h"
#include "store/content/manifest_restore.h"
#include "store/content/tag_history.h"
#include "store/content/tag_restore.h"
#include "store/content/tag_rules.h"

namespace outport::store {
namespace {

// A page of the history ends early when it has read so many manifests to find what is restorable.
constexpr size_t kMaxManifestsRead = 2000;

TagRules RulesOf(Content& content) {
  const Blobs::Parts& parts = content.blobs.parts();
  return {parts.meta, parts.clock, parts.log};
}

ManifestRestore::Parts RestoreParts(Content& content) {
  const Blobs::Parts& parts = content.blobs.parts();
  return {.meta = parts.meta,
          .clock = parts.clock,
          .store_clock = parts.store_clock,
          .times = parts.times};
}

Result<TagRestore::To> TargetOf(const v1::RestoreTagRequest& request) {
  switch (request.to_case()) {
    case v1::RestoreTagRequest::kDigest: {
      TRY(Digest digest, Digest::Parse(request.digest()));
      return TagRestore::To(std::move(digest));
    }
    case v1::RestoreTagRequest::kAtMs:
      return TagRestore::To(TagRestore::At{request.at_ms()});
    case v1::RestoreTagRequest::TO_NOT_SET:
      break;
  }
  return TagRestore::To(TagRestore::BeforeLastChange());
}

}  // namespace

Result<v1::ListTagHistoryResponse> TagVerbs::ListHistory(
    const v1::ListTagHistoryRequest& request) const {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  std::optional<Tag> tag;
  if (!request.tag().empty()) {
    TRY(tag, Tag::Parse(request.tag()));
  }
  v1::PageOf asked;
  asked.set_limit(request.limit());
  const TagHistory history(content_.blobs.parts().meta);
  TRY(const TagHistory::Page page, history.List(repository, tag, request.after(), LimitOf(asked)));
  v1::ListTagHistoryResponse response;
  const ManifestRestore restore(RestoreParts(content_));
  std::map<std::string, bool> restorable;  // by digest
  size_t read = 0;
  for (const TagHistory::Event& event : page.events) {
    if (read >= kMaxManifestsRead) break;
    v1::TagEvent& shown = *response.add_events();
    shown.set_tag(event.tag.ToString());
    *shown.mutable_row() = event.row;
    const std::string& text = event.row.after().empty() ? event.row.before() : event.row.after();
    auto known = restorable.find(text);
    if (known == restorable.end()) {
      TRY(const Digest digest, Digest::Parse(text));
      TRY(const bool can, restore.CanRun(repository, digest, read));
      known = restorable.emplace(text, can).first;
    }
    shown.set_restorable(known->second);
  }
  const auto shown = static_cast<size_t>(response.events_size());
  response.set_next(shown == page.events.size() ? page.next : page.events[shown - 1].next);
  return response;
}

Result<v1::RestoreTagResponse> TagVerbs::Restore(const v1::RestoreTagRequest& request,
                                                 const Administrator& by) const {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const Tag tag, Tag::Parse(request.tag()));
  TRY(const TagRestore::To to, TargetOf(request));
  const Blobs::Parts& parts = content_.blobs.parts();
  const TagRestore restore(RestoreParts(content_));
  TRY(const TagRestore::Restored restored, restore.Run(repository, tag, to, by.actor));
  v1::RestoreTagResponse response;
  response.set_digest(restored.digest.ToString());
  response.set_before(restored.before);
  response.set_sequence(restored.sequence);
  parts.log.Info("tag restored", {{"repository", request.repository()},
                                  {"tag", request.tag()},
                                  {"digest", response.digest()},
                                  {"by", by.actor.name},
                                  {"sequence", restored.sequence}});
  return response;
}

Result<v1::SetTagRuleResponse> TagVerbs::SetRule(const v1::SetTagRuleRequest& request,
                                                 const Administrator& by) const {
  const int64_t now_ms = content_.blobs.parts().store_clock.NowMs();
  TRY(auto replaced, RulesOf(content_).Set(request.rule(), now_ms, by.actor));
  v1::SetTagRuleResponse response;
  if (replaced.has_value()) *response.mutable_replaced() = *std::move(replaced);
  return response;
}

Result<v1::RemoveTagRuleResponse> TagVerbs::RemoveRule(const v1::RemoveTagRuleRequest& request,
                                                       const Administrator& by) const {
  TRY_VOID(RulesOf(content_).Remove(request.name(), by.actor));
  return v1::RemoveTagRuleResponse();
}

Result<v1::ListTagRulesResponse> TagVerbs::ListRules(const v1::ListTagRulesRequest& request) const {
  const v1::PageOf& asked = request.page();
  TRY(const RowPage<v1::TagRuleRow> page, RulesOf(content_).List(asked.after(), LimitOf(asked)));
  v1::ListTagRulesResponse response;
  for (const v1::TagRuleRow& row : page.rows) *response.add_rules() = row;
  response.set_next(page.next);
  return response;
}

}  // namespace outport::store
