#include "node/manifests/mirror_catalog.h"

#include <set>
#include <utility>

#include "node/freshness/read_your_writes.h"
#include "registry/service/listing.h"
#include "registry/service/unknown.h"

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
  CO_TRY(const v1::Position head, co_await parts_.resolver.ResolveHead(std::move(request_id)));
  const bool applied =
      co_await WaitUntilApplied(parts_.replica, head.epoch(), head.sequence(), deadline);
  if (applied) co_return Result<void>();
  co_return Error{
      ErrorCode::kUnavailable,
      "listing: this node's copy of the lists did not catch up with the store in time; try again"};
}

net::awaitable<Result<MirrorCatalog::ReplicaState>> MirrorCatalog::PrepareReplica(
    RequestKind request, const Caller& caller) {
  if (!co_await WaitForCallersChange(parts_.replica, caller)) {
    CO_TRY_VOID(RequireCallersChange(caller, parts_.replica.position()));
  }
  auto age = parts_.rule.ReplicaAge();
  if (!parts_.resolver.ReplicaHasPassed()) age = std::nullopt;
  if (parts_.rule.MayAnswer(request, Local::kFound, age)) co_return ReplicaState();
  Result<void> caught_up = co_await CatchUp(caller.request_id);
  if (caught_up.has_value()) co_return ReplicaState{.caught_up = true};
  if (caught_up.error().code != ErrorCode::kUnavailable) co_return std::move(caught_up).error();
  ReplicaState replica{.unreachable = std::move(caught_up).error()};
  // If the overlay has dropped answers, the replica may be older than a list that this node has
  // sent. So the age counts as unknown.
  age = parts_.resolver.ReplicaIsTrusted() ? parts_.rule.ReplicaAge() : std::nullopt;
  CO_TRY(replica.stale, parts_.rule.AnswerWithoutStore(request, Local::kFound, age, "listing"));
  co_return replica;
}

net::awaitable<Result<MirrorCatalog::Tags>> MirrorCatalog::ReadTags(RepositoryName repository,
                                                                    PageRequest page) {
  const auto kept = parts_.resolver.OverlayTags(repository);
  // Each answer of the overlay may remove a name. Read so many extra names, so that the page is
  // full.
  const size_t limit = page.limit + 1 + kept.size();
  auto list = [this, repository, after = page.last, limit] {
    return parts_.rows.ListTags(repository, after, limit);
  };
  CO_TRY(const ReplicaRows::Tags rows, co_await Blocking(parts_.pool, std::move(list)));
  std::set<std::string> names(rows.names.begin(), rows.names.end());
  bool known = rows.repository_known;
  for (const auto& [tag, answer] : kept) {
    if (HasPassed(rows.position, answer.mark())) continue;
    known = known || answer.answer.repository_known;
    const std::string& name = tag.ToString();
    if (!answer.answer.found()) names.erase(name);
    if (answer.answer.found() && name > page.last) names.insert(name);
  }
  co_return Tags{{names.begin(), names.end()}, known};
}

net::awaitable<Result<Page>> MirrorCatalog::ListTags(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const PageRequest& page) {
  CO_TRY(ReplicaState replica, co_await PrepareReplica(RequestKind::kTagList, caller));
  CO_TRY(Tags tags, co_await ReadTags(repository, page));
  if (!tags.repository_known && !replica.caught_up) {
    // Only the store can say that a repository does not exist.
    CO_TRY_VOID(co_await CatchUp(caller.request_id));
    replica.stale = std::nullopt;
    CO_TRY(tags, co_await ReadTags(repository, page));
  }
  if (!tags.repository_known) co_return UnknownRepository(repository);
  co_return ToPage(std::move(tags.names), page.limit, replica.stale);
}

net::awaitable<Result<Page>> MirrorCatalog::ListRepositories(const Caller& caller,
                                                             const PageRequest& page,
                                                             const Visible& visible) {
  CO_TRY(const ReplicaState replica, co_await PrepareReplica(RequestKind::kCatalog, caller));
  auto list = [this, page, visible,
               kept = parts_.resolver.OverlayRepositories()]() -> Result<Page> {
    const NameScan scan = [this](const std::string& prefix, const std::string& after,
                                 size_t limit) {
      return parts_.rows.ListRepositories(prefix, after, limit);
    };
    TRY(Page found, ListVisible(visible, page, scan));
    std::set<std::string> names(found.items.begin(), found.items.end());
    for (const RepositoryName& repository : kept) {
      const std::string& name = repository.ToString();
      if (name > page.last && visible(repository)) names.insert(name);
    }
    Page shown = ToPage({names.begin(), names.end()}, page.limit, std::nullopt);
    shown.more = shown.more || found.more;
    return shown;
  };
  CO_TRY(Page shown, co_await Blocking(parts_.pool, std::move(list)));
  shown.stale = replica.stale;
  co_return shown;
}

net::awaitable<Result<ReferrersPage>> MirrorCatalog::ListReferrers(const Caller& caller,
                                                                   const RepositoryName& repository,
                                                                   const Digest& subject,
                                                                   const std::string& artifact_type,
                                                                   const PageRequest& page) {
  CO_TRY(const ReplicaState replica, co_await PrepareReplica(RequestKind::kReferrers, caller));
  auto list = [this, repository, subject, artifact_type, page] {
    const ReferrerScan scan = [&](const std::string& after) {
      return parts_.rows.ListReferrers(repository, subject, after);
    };
    return PageOfReferrers(artifact_type, page, scan);
  };
  CO_TRY(ReferrersPage found, co_await Blocking(parts_.pool, list));
  found.stale = replica.stale;
  if (!found.items.empty() || !found.next.empty() || replica.caught_up) co_return found;
  // The list is empty. Ask the store, so that every node finds a referrer that a client has just
  // pushed.
  if (!replica.unreachable.has_value()) {
    Result<void> caught_up = co_await CatchUp(caller.request_id);
    if (caught_up.has_value()) co_return co_await Blocking(parts_.pool, list);
    if (caught_up.error().code != ErrorCode::kUnavailable) co_return std::move(caught_up).error();
    co_return found;  // the rows are fresh enough to answer with an empty list
  }
  const PageRequest no_tags{.last = "", .limit = 0};
  CO_TRY(const Tags tags, co_await ReadTags(repository, no_tags));
  const Local local = tags.repository_known ? Local::kAbsent : Local::kNoRepository;
  const Age age = replica.stale.has_value() ? Age::kStale : Age::kFresh;
  if (Decide(RequestKind::kReferrers, local, age, StoreState::kUnreachable) ==
      Decision::kUnavailable) {
    co_return *replica.unreachable;
  }
  co_return found;
}

}  // namespace outport::node
