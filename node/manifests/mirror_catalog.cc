#include "node/manifests/mirror_catalog.h"

#include <set>
#include <utility>

#include "node/freshness/min_sequence.h"
#include "registry/service/listing.h"

namespace outport::node {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kCatchUpLimit{1};

Page ToPage(std::vector<std::string> names, size_t limit, std::optional<Staleness> stale) {
  Page page{.items = std::move(names), .more = false, .stale = stale};
  if (page.items.size() > limit) {
    page.items.resize(limit);
    page.more = true;
  }
  return page;
}

}  // namespace

net::awaitable<Result<void>> MirrorCatalog::CatchUp(std::string request_id) {
  const auto deadline = steady_clock::now() + kCatchUpLimit;
  CO_TRY(const Resolved resolved,
         co_await parts_.resolver.Resolve(std::move(request_id), AskHead()));
  const v1::Position& head = resolved.answer.head();
  const bool applied =
      co_await WaitUntilApplied(parts_.replica, head.epoch(), head.sequence(), deadline);
  if (applied) co_return Result<void>();
  co_return Error{ErrorCode::kUnavailable, "listing: this node has not caught up with the store"};
}

net::awaitable<Result<MirrorCatalog::Settled>> MirrorCatalog::Settle(const Caller& caller) {
  if (!co_await RowsMayAnswer(parts_.replica, caller)) {
    CO_TRY_VOID(RequireMinSequence(caller, parts_.replica.position()));
  }
  if (parts_.age.IsReplicaFresh() && parts_.resolver.ReplicaHasPassed()) co_return Settled();
  Result<void> caught_up = co_await CatchUp(caller.request_id);
  if (caught_up.has_value()) co_return Settled{.level = true};
  if (caught_up.error().code != ErrorCode::kUnavailable) co_return std::move(caught_up).error();
  Settled settled{.away = std::move(caught_up).error()};
  // Behind answers that are not kept, nothing tells how old the rows are to those who saw them.
  const auto age = parts_.resolver.ReplicaIsTrusted() ? parts_.age.ReplicaAge() : std::nullopt;
  CO_TRY(settled.stale, parts_.age.AdmitWithoutStore(age, "listing"));
  co_return settled;
}

net::awaitable<Result<MirrorCatalog::Tags>> MirrorCatalog::ReadTags(RepositoryName repository,
                                                                    PageRequest page) {
  const auto kept = parts_.resolver.KeptTags(repository);
  // As many more as may turn out to be gone: the page is full though they are left out.
  const size_t limit = page.limit + 1 + kept.size();
  auto list = [this, repository, after = page.last, limit] {
    return parts_.rows.ListTags(repository, after, limit);
  };
  CO_TRY(const ReplicaRows::Tags rows, co_await Blocking(parts_.pool, std::move(list)));
  std::set<std::string> names(rows.names.begin(), rows.names.end());
  bool known = rows.repository_known;
  for (const auto& [tag, resolved] : kept) {
    if (HasPassed(rows.position, MarkOf(resolved))) continue;
    known = known || resolved.answer.repository_known();
    if (!resolved.answer.found()) names.erase(tag);
    if (resolved.answer.found() && tag > page.last) names.insert(tag);
  }
  co_return Tags{{names.begin(), names.end()}, known};
}

net::awaitable<Result<Page>> MirrorCatalog::ListTags(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const PageRequest& page) {
  CO_TRY(Settled settled, co_await Settle(caller));
  CO_TRY(Tags tags, co_await ReadTags(repository, page));
  if (!tags.repository_known && !settled.level) {
    // Only rows that were level with the store after this request came can say that.
    CO_TRY_VOID(co_await CatchUp(caller.request_id));
    settled.stale = std::nullopt;
    CO_TRY(tags, co_await ReadTags(repository, page));
  }
  if (!tags.repository_known) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  co_return ToPage(std::move(tags.names), page.limit, settled.stale);
}

net::awaitable<Result<Page>> MirrorCatalog::ListRepositories(const Caller& caller,
                                                             const PageRequest& page,
                                                             const Visible& visible) {
  CO_TRY(const Settled settled, co_await Settle(caller));
  auto list = [this, page, visible, kept = parts_.resolver.KeptRepositories()]() -> Result<Page> {
    const NameScan scan = [this](const std::string& prefix, const std::string& after,
                                 size_t limit) {
      return parts_.rows.ListRepositories(prefix, after, limit);
    };
    TRY(Page found, ListVisible(visible, page, scan));
    std::set<std::string> names(found.items.begin(), found.items.end());
    for (const std::string& name : kept) {
      TRY(const RepositoryName repository, RepositoryName::Parse(name));
      if (name > page.last && visible(repository)) names.insert(name);
    }
    Page shown = ToPage({names.begin(), names.end()}, page.limit, std::nullopt);
    shown.more = shown.more || found.more;
    return shown;
  };
  CO_TRY(Page shown, co_await Blocking(parts_.pool, std::move(list)));
  shown.stale = settled.stale;
  co_return shown;
}

net::awaitable<Result<ReferrersPage>> MirrorCatalog::ListReferrers(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Digest& subject,
                                                                   const std::string& artifact_type,
                                                                   const PageRequest& page) {
  CO_TRY(const Settled settled, co_await Settle(caller));
  auto list = [this, repository, subject, artifact_type, page] {
    const ReferrerScan scan = [&](const std::string& after) {
      return parts_.rows.ListReferrers(repository, subject, after);
    };
    return PageOfReferrers(artifact_type, page, scan);
  };
  CO_TRY(ReferrersPage found, co_await Blocking(parts_.pool, list));
  found.stale = settled.stale;
  if (!found.items.empty() || !found.next.empty() || settled.level) co_return found;
  // None: that is the store's to say, so that what was pushed a moment ago is found at every node.
  if (!settled.away.has_value()) {
    Result<void> caught_up = co_await CatchUp(caller.request_id);
    if (caught_up.has_value()) co_return co_await Blocking(parts_.pool, list);
    if (caught_up.error().code != ErrorCode::kUnavailable) co_return std::move(caught_up).error();
    co_return found;  // the rows are fresh
  }
  // Old rows still tell of a repository that they know.
  const PageRequest no_tags{.last = "", .limit = 0};
  CO_TRY(const Tags tags, co_await ReadTags(repository, no_tags));
  if (!tags.repository_known && settled.stale.has_value()) co_return *settled.away;
  co_return found;
}

}  // namespace outport::node
