#include "node/mirror_catalog.h"

#include <set>
#include <utility>

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

using Visible = std::function<bool(const RepositoryName&)>;

// Adds the names that `visible` accepts behind `after`, until there are `limit` of them.
Result<void> ListVisible(const ReplicaRows& rows, std::string after, size_t limit,
                         const Visible& visible, std::set<std::string>& shown) {
  for (size_t listed = 0;;) {
    TRY(const std::vector<std::string> names, rows.ListRepositories(after, kMaxPage));
    for (const std::string& name : names) {
      TRY(const RepositoryName repository, RepositoryName::Parse(name));
      if (!visible(repository)) continue;
      shown.insert(name);
      if (++listed == limit) return {};
    }
    if (names.size() < kMaxPage) return {};
    after = names.back();
  }
}

}  // namespace

net::awaitable<Result<void>> MirrorCatalog::CatchUp(std::string request_id) {
  const auto deadline = steady_clock::now() + kCatchUpLimit;
  CO_TRY(const Resolved resolved,
         co_await parts_.resolver.Resolve(std::move(request_id), AskHead()));
  const v1::Position& head = resolved.answer.head();
  for (;;) {
    const uint64_t seen = parts_.replica.Moved().Version();
    const v1::Position applied = parts_.replica.position();
    if (applied.epoch() == head.epoch() && applied.sequence() >= head.sequence()) {
      co_return Result<void>();
    }
    if (!co_await parts_.replica.Moved().WaitPast(seen, deadline)) break;
  }
  co_return Error{ErrorCode::kUnavailable, "listing: this node has not caught up with the store"};
}

net::awaitable<Result<MirrorCatalog::MaybeStale>> MirrorCatalog::Settle(const Caller& caller) {
  if (parts_.age.IsReplicaFresh() && parts_.resolver.ReplicaHasPassed()) co_return MaybeStale();
  const Result<void> caught_up = co_await CatchUp(caller.request_id);
  if (caught_up.has_value()) co_return MaybeStale();
  if (caught_up.error().code != ErrorCode::kUnavailable) co_return caught_up.error();
  // Behind answers that are not kept, nothing tells how old the rows are to those who saw them.
  const auto age = parts_.resolver.ReplicaIsTrusted() ? parts_.age.ReplicaAge() : std::nullopt;
  co_return parts_.age.AdmitWithoutStore(age, "listing");
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
  CO_TRY(MaybeStale stale, co_await Settle(caller));
  CO_TRY(Tags tags, co_await ReadTags(repository, page));
  if (!tags.repository_known) {
    // Only rows that were level with the store after this request came can say that.
    CO_TRY_VOID(co_await CatchUp(caller.request_id));
    stale = std::nullopt;
    CO_TRY(tags, co_await ReadTags(repository, page));
  }
  if (!tags.repository_known) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  co_return ToPage(std::move(tags.names), page.limit, stale);
}

net::awaitable<Result<Page>> MirrorCatalog::ListRepositories(
    const Caller& caller, const PageRequest& page,
    const std::function<bool(const RepositoryName&)>& visible) {
  CO_TRY(const MaybeStale stale, co_await Settle(caller));
  auto list = [this, page, visible,
               kept = parts_.resolver.KeptRepositories()]() -> Result<std::vector<std::string>> {
    std::set<std::string> shown;
    for (const std::string& name : kept) {
      TRY(const RepositoryName repository, RepositoryName::Parse(name));
      if (name > page.last && visible(repository)) shown.insert(name);
    }
    TRY_VOID(ListVisible(parts_.rows, page.last, page.limit + 1, visible, shown));
    return std::vector<std::string>(shown.begin(), shown.end());
  };
  CO_TRY(std::vector<std::string> names, co_await Blocking(parts_.pool, std::move(list)));
  co_return ToPage(std::move(names), page.limit, stale);
}

}  // namespace outport::node
