#include <algorithm>
#include <array>
#include <optional>

#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"

namespace outport::http {
namespace {

constexpr size_t kMaxTagsOfOnePush = 100;

// Parses the reference of a stored manifest. No push can have created an invalid tag, so an invalid
// tag is kManifestUnknown. The conformance suite expects this 404 for ".INVALID_MANIFEST_NAME". An
// invalid digest keeps its own error.
Result<Reference> ReferenceOfStored(const std::string& text) {
  auto reference = ParseReference(text);
  if (!reference.has_value() && reference.error().code == ErrorCode::kTagInvalid) {
    return Error{ErrorCode::kManifestUnknown,
                 "there is no such manifest: " + reference.error().message};
  }
  return reference;
}

void SetManifestFields(Response& response, const ManifestInfo& info) {
  response.Set("Docker-Content-Digest", info.digest.ToString());
  response.Set("ETag", EntityTag(info.digest));
  SetStaleness(response, info.stale);
}

Error TooLarge() {
  return Error{ErrorCode::kManifestTooLarge, "the manifest is too large; the limit is " +
                                                 std::to_string(kMaxManifestBytes) + " bytes"};
}

Error Busy(ByteBudget& budget) {
  budget.CountRejection();
  return Error{ErrorCode::kTooManyRequests,
               "the manifests of other requests fill the memory limit of " +
                   std::to_string(budget.limit_bytes()) + " bytes; try again shortly"};
}

// Reads a whole manifest, which has at most kMaxManifestBytes. Reserves memory before it reads. It
// reserves the announced length, or grows the share step by step if the client announced no length.
net::awaitable<Result<std::string>> ReadManifest(RequestBody& body, ByteBudget& budget,
                                                 ByteBudget::Share& share) {
  if (body.length().value_or(0) > kMaxManifestBytes) co_return TooLarge();
  if (!share.Resize(body.length().value_or(0))) co_return Busy(budget);
  std::string text;
  text.reserve(static_cast<size_t>(body.length().value_or(0)));
  std::array<std::byte, 16 << 10> buffer;
  for (;;) {
    CO_TRY(const size_t got, co_await body.Read(buffer));
    if (got == 0) co_return text;
    if (text.size() + got > kMaxManifestBytes) co_return TooLarge();
    const bool room = share.Resize(std::max<uint64_t>(share.bytes(), text.size() + got));
    if (!room) co_return Busy(budget);
    text.append(AsText(Bytes(buffer).first(got)));
  }
}

// Reserves memory for a manifest that the handler is about to read. If `known` is nullopt, reserves
// the maximum size while at most half of the budget is in use. Beyond that, asks the registry for
// the manifest's real size.
net::awaitable<Result<void>> ReserveManifestMemory(Registry& registry, const Request& request,
                                                   const Reference& reference,
                                                   const std::optional<ManifestInfo>& known,
                                                   ByteBudget::Share& share) {
  ByteBudget& budget = request.manifest_bytes;
  uint64_t size = kMaxManifestBytes;
  if (known.has_value()) {
    size = known->size_bytes;
  } else if (share.Resize(kMaxManifestBytes, budget.limit_bytes() / 2)) {
    co_return Result<void>();
  } else {
    CO_TRY(const ManifestInfo info,
           co_await registry.StatManifest(request.caller, request.repository(), reference));
    size = info.size_bytes;
  }
  if (!share.Resize(size)) co_return Busy(budget);
  co_return Result<void>();
}

// Removes the parameters of a media type, because they have no meaning for manifests.
std::string WithoutParameters(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return std::string(type);
}

// Returns the tags of the parameter "tag", validated and without duplicates. If the path names a
// tag instead of a digest, ignores the parameter.
Result<std::vector<Tag>> ReadTags(const Request& request, const Reference& reference) {
  std::vector<Tag> tags;
  if (std::holds_alternative<Tag>(reference)) return tags;
  if (request.route.tags.size() > kMaxTagsOfOnePush) {
    return Error{ErrorCode::kUriTooLong, "a push sets at most " +
                                             std::to_string(kMaxTagsOfOnePush) + " tags, not " +
                                             std::to_string(request.route.tags.size())};
  }
  for (const std::string& text : request.route.tags) {
    TRY(Tag tag, Tag::Parse(text));
    if (std::ranges::find(tags, tag) == tags.end()) tags.push_back(std::move(tag));
  }
  return tags;
}

}  // namespace

// GET, HEAD /v2/<name>/manifests/<reference>. Serves the media type that was pushed, and ignores
// Accept: a client that cannot use the type gives a clearer error than a 404 would.
net::awaitable<Result<void>> GetManifest(Registry& registry, const Request& request,
                                         Response& response) {
  CO_TRY(const Reference reference, ReferenceOfStored(request.route.reference));
  const std::string& if_none_match = request.head.if_none_match;
  std::optional<ManifestInfo> known;
  if (response.is_head() || !if_none_match.empty()) {
    CO_TRY(const ManifestInfo info,
           co_await registry.StatManifest(request.caller, request.repository(), reference));
    known = info;
    const bool unchanged = NoneMatchNames(if_none_match, info.digest);
    if (unchanged || response.is_head()) SetManifestFields(response, info);
    if (unchanged) co_return co_await response.SendEmpty(304);
    if (response.is_head()) {
      co_return co_await response.SendHeadOnly(info.media_type, info.size_bytes);
    }
  }
  ByteBudget::Share share(request.manifest_bytes);
  CO_TRY_VOID(co_await ReserveManifestMemory(registry, request, reference, known, share));
  CO_TRY(const StoredManifest manifest,
         co_await registry.GetManifest(request.caller, request.repository(), reference));
  // The tag may have moved to a larger manifest since the memory was reserved.
  if (!share.Resize(manifest.body.size())) co_return Busy(request.manifest_bytes);
  SetManifestFields(response, manifest.info);
  co_return co_await response.SendText(200, manifest.info.media_type, manifest.body);
}

// PUT /v2/<name>/manifests/<reference>, with ?tag= if the reference is a digest. Sets all of these
// tags, or none.
net::awaitable<Result<void>> PutManifest(Registry& registry, const Request& request,
                                         Response& response) {
  CO_TRY(const Reference reference, ParseReference(request.route.reference));
  CO_TRY(const std::vector<Tag> tags, ReadTags(request, reference));
  ByteBudget::Share share(request.manifest_bytes);
  CO_TRY(std::string body, co_await ReadManifest(request.body, request.manifest_bytes, share));
  const std::string content_type = WithoutParameters(request.head.content_type);
  CO_TRY(const PushedManifest pushed,
         co_await registry.PutManifest(request.caller, request.repository(), reference,
                                       content_type, tags, std::move(body)));
  const std::string digest = pushed.digest.ToString();
  response.Set("Location", "/v2/" + request.repository().ToString() + "/manifests/" + digest);
  response.Set("Docker-Content-Digest", digest);
  if (pushed.subject.has_value()) response.Set("OCI-Subject", pushed.subject->ToString());
  for (const Tag& tag : tags) response.Set("OCI-Tag", tag.ToString());
  response.Set("Outport-Sequence", std::to_string(pushed.sequence));
  co_return co_await response.SendEmpty(201);
}

// DELETE /v2/<name>/manifests/<reference>: deletes only the tag, or by digest the manifest and all
// of its tags.
net::awaitable<Result<void>> DeleteManifest(Registry& registry, const Request& request,
                                            Response& response) {
  CO_TRY(const Reference reference, ReferenceOfStored(request.route.reference));
  CO_TRY(const Deleted deleted,
         co_await registry.DeleteManifest(request.caller, request.repository(), reference));
  response.Set("Outport-Sequence", std::to_string(deleted.sequence));
  co_return co_await response.SendEmpty(202);
}

}  // namespace outport::http
