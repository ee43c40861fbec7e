#include "registry/http/api/route.h"

#include <algorithm>
#include <vector>

#include "registry/http/connection/url.h"

namespace outport::http {
namespace {

constexpr size_t kMaxUploadId = 128;
constexpr size_t kQuotedBytes = 300;  // most bytes of a path that an error quotes

Error NoSuchPath(std::string_view path) {
  return Error{ErrorCode::kNotFound,
               "no such path: \"" + std::string(path.substr(0, kQuotedBytes)) +
                   "\"; the registry API is under /v2/ (ping, _catalog, <name>/tags/list, "
                   "<name>/manifests/…, <name>/blobs/…, <name>/referrers/…)"};
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The part of a path under /v2/ that follows the repository's name.
struct Match {
  Noun noun;
  size_t tail;  // number of segments after the repository
  std::string_view last;
};

std::optional<Match> MatchTail(const std::vector<std::string_view>& s) {
  const size_t n = s.size();
  const auto back = [&](size_t i) { return i <= n ? s[n - i] : std::string_view(); };
  if (back(2) == "tags" && back(1) == "list") return Match{Noun::kTags, 2, {}};
  if (back(2) == "manifests") return Match{Noun::kManifest, 2, back(1)};
  if (back(3) == "blobs" && back(2) == "uploads") {
    return Match{back(1).empty() ? Noun::kUploads : Noun::kUpload, 3, back(1)};
  }
  if (back(2) == "blobs" && back(1) == "uploads") return Match{Noun::kUploads, 2, {}};
  if (back(2) == "blobs") return Match{Noun::kBlob, 2, back(1)};
  if (back(2) == "referrers") return Match{Noun::kReferrers, 2, back(1)};
  return std::nullopt;
}

// Session ids are opaque to clients, but must be safe as file names.
Result<std::string> ParseUploadId(std::string_view text) {
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (!plain || text.size() > kMaxUploadId) {
    return Error{
        ErrorCode::kBlobUploadUnknown,
        "there is no upload session \"" + std::string(text.substr(0, kMaxUploadId)) + "\""};
  }
  return std::string(text);
}

Result<void> ReadParameters(std::string_view query, Route& route) {
  TRY(route.digest, QueryParameter(query, "digest"));
  TRY(route.digest_algorithm, QueryParameter(query, "digest-algorithm"));
  TRY(route.mount, QueryParameter(query, "mount"));
  TRY(route.from, QueryParameter(query, "from"));
  TRY(route.artifact_type, QueryParameter(query, "artifactType"));
  TRY(route.n, QueryParameter(query, "n"));
  TRY(route.last, QueryParameter(query, "last"));
  TRY(const std::vector<std::string> lists, QueryParameters(query, "tag"));
  for (const std::string& list : lists) {
    for (const std::string_view tag : Split(list, ',')) route.tags.emplace_back(tag);
  }
  return {};
}

// Returns where the path of the target ends. Some clients append "&digest=…" to the location of an
// upload session, whether or not it has a query. An id of a session contains no '&', so the query
// of such a target begins there.
size_t EndOfPath(std::string_view target) {
  const size_t question = target.find('?');
  if (question != std::string_view::npos) return question;
  const size_t ampersand = target.find('&');
  if (ampersand == std::string_view::npos) return std::string_view::npos;
  const size_t slash = target.rfind('/');
  const bool is_upload = slash != std::string_view::npos && slash + 1 < ampersand &&
                         target.substr(0, slash).ends_with("/blobs/uploads");
  return is_upload ? ampersand : std::string_view::npos;
}

}  // namespace

std::string_view ToString(Noun noun) {
  constexpr std::string_view kNames[kNouns] = {"ping", "catalog", "tags",   "manifest",
                                               "blob", "uploads", "upload", "referrers"};
  return kNames[static_cast<size_t>(noun)];
}

Result<Route> ParseRoute(std::string_view target) {
  const size_t end = EndOfPath(target);
  TRY(const std::string path, DecodePath(target.substr(0, end)));
  Route route;
  if (end != std::string_view::npos) {
    TRY_VOID(ReadParameters(target.substr(end + 1), route));
  }
  if (path == "/v2" || path == "/v2/") return route;
  if (!path.starts_with("/v2/")) return NoSuchPath(path);
  if (path == "/v2/_catalog") {
    route.noun = Noun::kCatalog;
    return route;
  }
  const std::string_view rest = std::string_view(path).substr(4);
  const std::vector<std::string_view> segments = Split(rest, '/');
  const std::optional<Match> match = MatchTail(segments);
  if (!match.has_value() || segments.size() <= match->tail) return NoSuchPath(path);
  const bool names_one = match->noun == Noun::kManifest || match->noun == Noun::kBlob ||
                         match->noun == Noun::kReferrers;
  if (names_one && match->last.empty()) return NoSuchPath(path);

  // The repository's name ends before the slash that begins the tail.
  const std::string_view first_of_tail = segments[segments.size() - match->tail];
  const size_t name_size = static_cast<size_t>(first_of_tail.data() - rest.data()) - 1;
  TRY(route.repository, RepositoryName::Parse(rest.substr(0, name_size)));
  route.noun = match->noun;
  if (names_one) route.reference = match->last;
  if (match->noun == Noun::kUpload) {
    TRY(route.upload_id, ParseUploadId(match->last));
  }
  return route;
}

std::string_view AllowedMethods(Noun noun) {
  switch (noun) {
    case Noun::kManifest:
      return "GET, HEAD, PUT, DELETE";
    case Noun::kBlob:
      return "GET, HEAD, DELETE";
    case Noun::kUploads:
      return "POST";
    case Noun::kUpload:
      return "GET, HEAD, PATCH, PUT, DELETE";
    case Noun::kPing:
    case Noun::kCatalog:
    case Noun::kTags:
    case Noun::kReferrers:
      break;
  }
  return "GET, HEAD";
}

bool Allows(Noun noun, Method method) {
  std::string_view list = AllowedMethods(noun);
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(", "));
    if (name == ToString(method)) return true;
    list.remove_prefix(std::min(list.size(), name.size() + 2));
  }
  return false;
}

Action RequiredAction(Noun noun, Method method) {
  if (noun == Noun::kUploads || noun == Noun::kUpload) return Action::kPush;
  if (method == Method::kDelete) return Action::kDelete;
  return method == Method::kGet || method == Method::kHead ? Action::kPull : Action::kPush;
}

}  // namespace outport::http
