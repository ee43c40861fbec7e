#include "node/mirror_catalog.h"

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

// The names that `visible` accepts behind `after`, until there are `limit` of them.
Result<std::vector<std::string>> ListVisible(
    const ReplicaRows& rows, std::string after, size_t limit,
    const std::function<bool(const RepositoryName&)>& visible) {
  std::vector<std::string> shown;
  for (;;) {
    TRY(const std::vector<std::string> names, rows.ListRepositories(after, kMaxPage));
    for (const std::string& name : names) {
      TRY(const RepositoryName repository, RepositoryName::Parse(name));
      if (visible(repository)) shown.push_back(name);
      if (shown.size() == limit) return shown;
    }
    if (names.size() < kMaxPage) return shown;
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
  co_return parts_.age.AdmitWithoutStore(parts_.age.ReplicaAge(), "listing");
}

net::awaitable<Result<Page>> MirrorCatalog::ListTags(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const PageRequest& page) {
  CO_TRY(const MaybeStale stale, co_await Settle(caller));
  auto known = [this, repository] { return parts_.rows.HasRepository(repository); };
  CO_TRY(bool exists, co_await Blocking(parts_.pool, known));
  if (!exists) {
    // Only rows that were level with the store after this request came can say that.
    CO_TRY_VOID(co_await CatchUp(caller.request_id));
    CO_TRY(exists, co_await Blocking(parts_.pool, known));
  }
  if (!exists) {
    co_return Error{ErrorCode::kNameUnknown,
                    "repository " + repository.ToString() + " does not exist"};
  }
  auto list = [this, repository, page] {
    return parts_.rows.ListTags(repository, page.last, page.limit + 1);
  };
  CO_TRY(std::vector<std::string> tags, co_await Blocking(parts_.pool, std::move(list)));
  co_return ToPage(std::move(tags), page.limit, stale);
}

net::awaitable<Result<Page>> MirrorCatalog::ListRepositories(
    const Caller& caller, const PageRequest& page,
    const std::function<bool(const RepositoryName&)>& visible) {
  CO_TRY(const MaybeStale stale, co_await Settle(caller));
  auto list = [this, page, visible] {
    return ListVisible(parts_.rows, page.last, page.limit + 1, visible);
  };
  CO_TRY(std::vector<std::string> names, co_await Blocking(parts_.pool, std::move(list)));
  co_return ToPage(std::move(names), page.limit, stale);
}

}  // namespace outport::node
