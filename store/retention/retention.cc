#include "store/retention/retention.h"

#include <algorithm>
#include <utility>

#include "registry/base/repeat.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/gc/active_run.h"
#include "store/gc/candidates.h"
#include "store/gc/freed_bytes.h"
#include "store/gc/plan_name.h"
#include "store/gc/plan_options.h"
#include "store/gc/runs.h"
#include "store/retention/policy_file.h"
#include "store/retention/retention_job.h"

namespace outport::store {
namespace {

constexpr uint32_t kDefaultItems = 1000;
constexpr uint32_t kMaxItems = 5000;  // in one response
constexpr size_t kMaxFileNameBytes = 255;
constexpr std::chrono::seconds kLook{30};

// Returns the file's name for error lines, without control characters.
std::string ShownName(const std::string& name) {
  std::string shown = name.substr(0, kMaxFileNameBytes);
  std::erase_if(shown, [](char c) { return static_cast<unsigned char>(c) < ' '; });
  return shown.empty() ? "retention.yml" : shown;
}

// A corrupt row counts as none, so that an administrator can replace it.
Result<std::optional<v1::RetentionRow>> LockPolicies(MetaTransaction& transaction) {
  return NoneIfCorrupt(LockRow<v1::RetentionRow>(transaction, keys::kRetention));
}

// Returns the minute of the schedule; -1: there is none, or the policies are invalid.
int MinuteIn(PolicyCache& cache, const std::optional<v1::RetentionRow>& row) {
  if (!row.has_value()) return -1;
  const auto found = cache.Find(row->yaml());
  return found.has_value() ? MinuteOfSchedule((*found)->policies.schedule()) : -1;
}

}  // namespace

Retention::Retention(Parts parts)
    : parts_(std::move(parts)),
      schedule_({.meta = parts_.meta,
                 .clock = parts_.clock,
                 .collector = parts_.collector,
                 .log = parts_.log,
                 .start = [this](const RetentionSchedule::Begin& begin) {
                   return Start({}, Actor::Store(), begin);
                 }}) {}

Result<v1::AppliedPolicies> Retention::Apply(const v1::ApplyPoliciesRequest& request,
                                             const Actor& by) {
  TRY(const v1::RetentionPolicies policies,
      policies_.Check(request.yaml(), ShownName(request.file_name())));
  const int minute = MinuteOfSchedule(policies.schedule());
  const Auditor auditor(by, parts_.clock);
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto before, LockPolicies(transaction));
    v1::RetentionRow row;
    row.set_yaml(request.yaml());
    row.set_by(by.name);
    row.set_at_ms(parts_.store_clock.NowMs());
    auditor.Add(transaction, "retention.apply", "retention", RowJson(before), RowJson(row));
    TRY_VOID(WriteRow(transaction, keys::kRetention, row));
    return minute == MinuteIn(policies_, before) ? Result<void>()
                                                 : schedule_.Set(transaction, minute);
  }));
  return Get();
}

Result<v1::AppliedPolicies> Retention::Get() const {
  v1::AppliedPolicies applied;
  TRY(const auto row, ReadRow<v1::RetentionRow>(parts_.meta, keys::kRetention));
  if (!row.has_value()) return applied;
  applied.set_yaml(row->yaml());
  applied.set_by(row->by());
  applied.set_at_ms(row->at_ms());
  TRY(const auto found, policies_.Find(row->yaml()));
  *applied.mutable_policies() = found->policies;
  return applied;
}

Result<Retention::Compiled> Retention::Compile() const {
  TRY(const auto row, ReadRow<v1::RetentionRow>(parts_.meta, keys::kRetention));
  const std::string yaml = row.has_value() ? row->yaml() : "";
  Compiled compiled;
  compiled.text = "policies " + HashOfItems({yaml});
  if (row.has_value()) {
    TRY(compiled.set, policies_.Find(yaml));
  } else {
    compiled.set = std::make_shared<const PolicySet>();
  }
  return compiled;
}

Result<Retention::Named> Retention::Make(const MetaView& view, const Compiled& compiled,
                                         const v1::PlanOptions& options, int64_t as_of_ms) const {
  TRY_VOID(CheckPlanOptions(options));
  const RetentionPlanner planner(view, parts_.times, compiled.set->compiled, as_of_ms);
  TRY(DropPlan plan, planner.Make());
  for (const Error& why : plan.skipped) LogSkippedRow(parts_.log, why);
  std::vector<std::string> texts{compiled.text};
  for (const DroppedTag& tag : plan.tags) texts.push_back(tag.Text());
  for (const DroppedManifest& manifest : plan.manifests) texts.push_back(manifest.Text());
  PlanName name{.as_of_ms = as_of_ms, .items = texts.size() - 1, .hash = {}, .options = {}};
  name.hash = HashOfItems(std::move(texts));
  *name.options.mutable_ignore_nodes() = options.ignore_nodes();
  name.kind = PlanKind::kRetention;
  return Named{.plan = std::move(plan), .name = name.ToString()};
}

// Makes the plan of this name again, as of its time. kFailedPrecondition if the result differs.
Result<Retention::Named> Retention::MakeAgain(const MetaView& view, const Compiled& compiled,
                                              const std::string& name) const {
  TRY(const PlanName parsed, PlanName::Parse(name));
  TRY_VOID(parsed.RequireKind(PlanKind::kRetention));
  if (parsed.as_of_ms > parts_.store_clock.NowMs()) {
    return Error{ErrorCode::kInvalidArgument,
                 "the plan is from the future; 'outportctl retention plan' makes a new one"};
  }
  TRY(Named made, Make(view, compiled, parsed.options, parsed.as_of_ms));
  if (made.name == name) return made;
  return Error{ErrorCode::kFailedPrecondition,
               "the plan no longer holds: tags or policies have changed, and it would delete " +
                   std::to_string(made.plan.tags.size()) + " tags and " +
                   std::to_string(made.plan.manifests.size()) +
                   " untagged manifests now; 'outportctl retention plan' makes a new one"};
}

Result<std::vector<std::string>> Retention::MissingReports(const DropPlan& plan,
                                                           const v1::PlanOptions& options) const {
  std::vector<std::string> missing;
  if (!plan.looks_at_pulls) return missing;
  TRY(missing, parts_.nodes_without_report());
  std::erase_if(missing, [&](const std::string& node) {
    return std::ranges::find(options.ignore_nodes(), node) != options.ignore_nodes().end();
  });
  return missing;
}

Result<void> Retention::AddTotals(const Named& made, const v1::PlanOptions& options,
                                  v1::RetentionPlan& response) const {
  const DropPlan& plan = made.plan;
  response.set_repositories(plan.repositories);
  response.set_kept_tags(plan.kept_tags);
  response.set_dropped_tags(plan.tags.size());
  response.set_dropped_manifests(plan.manifests.size());
  response.set_cut(plan.cut);
  for (const std::string& name : plan.too_large) response.add_too_large(name);
  TRY(const std::vector<std::string> missing, MissingReports(plan, options));
  for (const std::string& node : missing) response.add_nodes_without_report(node);
  return {};
}

// Also sets the sum in the response.
Result<std::shared_ptr<const FreedByItem>> Retention::CountFreed(const MetaView& view,
                                                                 const DropPlan& plan,
                                                                 v1::RetentionPlan& response) {
  FreedBytes freed(view);
  for (const DroppedTag& tag : plan.tags) freed.AddTag(tag.content, tag.tag);
  for (const DroppedManifest& manifest : plan.manifests) freed.AddManifest(manifest.content);
  TRY(const std::vector<FreedBytes::Freed> bytes, freed.Count());
  auto by_item = std::make_shared<FreedByItem>();
  uint64_t sum = 0;
  size_t next = 0;
  const auto add = [&](std::string place) {
    const uint64_t more = bytes[next++].bytes();
    if (more > 0) by_item->emplace(std::move(place), more);
    sum += more;
  };
  for (const DroppedTag& tag : plan.tags) {
    add(tag.content.repository.ToString() + ":" + tag.tag.ToString());
  }
  for (const DroppedManifest& manifest : plan.manifests) {
    add(manifest.content.repository.ToString() + "@" + manifest.content.digest.ToString());
  }
  response.set_freed_bytes(sum);
  response.set_freed_is_minimum(freed.is_minimum());
  return by_item;
}

// Returns the plan with the part of its list that has the requested page. If the request names no
// plan, makes one, and adds its totals to the response. Otherwise makes the plan again, so that the
// new part is of the same plan as the parts before. `known` is what the store remembers of the
// plan; null: nothing.
Result<std::shared_ptr<const ListedPlan>> Retention::List(
    const v1::GetRetentionPlanRequest& request, const ListedPlan* known,
    v1::RetentionPlan& response) const {
  TRY_VOID(parts_.collector.FlushPulls());
  const std::unique_ptr<MetaView> view = parts_.meta.Snapshot();
  TRY(const Compiled compiled, Compile());
  const bool is_new = request.plan().empty();
  if (is_new) TRY_VOID(CheckNewPlanOptions(parts_.meta, request.options()));
  TRY(Named made, is_new ? Make(*view, compiled, request.options(), parts_.store_clock.NowMs())
                         : MakeAgain(*view, compiled, request.plan()));
  if (is_new) TRY_VOID(AddTotals(made, request.options(), response));
  auto freed = known == nullptr ? nullptr : known->freed();
  if (freed == nullptr) {
    v1::RetentionPlan unused;  // the first page had the totals
    TRY(freed, CountFreed(*view, made.plan, is_new ? response : unused));
  }
  std::string name = std::move(made.name);
  TRY(const PlanName parsed, PlanName::Parse(name));
  const RetentionPlanner planner(*view, parts_.times, compiled.set->compiled, parsed.as_of_ms);
  TRY(RetentionPlanner::Page page,
      planner.List(request.after(), ListPart::kMaxItems, request.only_drops()));
  for (v1::RetentionItem& item : page.items) {
    const auto found = freed->find(PlaceOf(item));
    if (!item.keep() && found != freed->end()) item.set_freed_bytes(found->second);
  }
  return std::make_shared<const ListedPlan>(std::move(name), std::move(freed),
                                            ListPart(request.after(), request.only_drops(), page));
}

Result<v1::RetentionPlan> Retention::GetPlan(const v1::GetRetentionPlanRequest& request) {
  v1::RetentionPlan response;
  auto plan = recent_.Find(request.plan());
  if (plan == nullptr || !plan->Covers(request.only_drops(), request.after())) {
    TRY(plan, List(request, plan.get(), response));
    recent_.Add(plan);
  }
  response.set_plan(plan->name());
  const size_t limit = request.limit() == 0 ? kDefaultItems : std::min(request.limit(), kMaxItems);
  RetentionPlanner::Page page = plan->part().PageAfter(request.after(), limit);
  for (v1::RetentionItem& item : page.items) *response.add_items() = std::move(item);
  response.set_next(std::move(page.next));
  return response;
}

Result<v1::RunRow> Retention::StartRun(const v1::StartRetentionRequest& request, const Actor& by) {
  TRY(const v1::AppliedPolicies applied, Get());
  const int minute = MinuteOfSchedule(applied.policies().schedule());
  const RetentionSchedule::Begin note = [&](MetaTransaction& transaction,
                                            const RetentionSchedule::Started& run) {
    return schedule_.NoteRun(transaction, minute, run);
  };
  TRY(RetentionSchedule::Started started, Start(request, by, note));
  return std::move(started.run);
}

Result<RetentionSchedule::Started> Retention::Start(const v1::StartRetentionRequest& request,
                                                    const Actor& by,
                                                    const RetentionSchedule::Begin& begin) {
  RetentionSchedule::Started started;
  TRY(started.run, parts_.collector.StartOther([&](const CollectorParts& work) {
    return MakeJob(work, request, by, begin, started);
  }));
  return started;
}

Result<std::unique_ptr<Job>> Retention::MakeJob(const CollectorParts& work,
                                                const v1::StartRetentionRequest& request,
                                                const Actor& by,
                                                const RetentionSchedule::Begin& begin,
                                                RetentionSchedule::Started& started) const {
  const std::unique_ptr<MetaView> view = parts_.meta.Snapshot();
  TRY(const Compiled compiled, Compile());
  if (compiled.set->compiled.empty()) {
    return Error{
        ErrorCode::kFailedPrecondition,
        "there are no policies, so a run would delete nothing; 'outportctl retention apply "
        "FILE' sets policies"};
  }
  if (request.plan().empty()) TRY_VOID(CheckNewPlanOptions(parts_.meta, request.options()));
  TRY(Named made, request.plan().empty()
                      ? Make(*view, compiled, request.options(), parts_.store_clock.NowMs())
                      : MakeAgain(*view, compiled, request.plan()));
  TRY(const PlanName name, PlanName::Parse(made.name));
  TRY(const std::vector<std::string> missing, MissingReports(made.plan, name.options));
  if (!missing.empty()) {
    return Error{ErrorCode::kFailedPrecondition,
                 "node " + missing.front() +
                     " has not reported its recent pulls; wait for it, or ignore it with "
                     "--ignore-node " +
                     missing.front(),
                 {missing.front()}};
  }
  v1::RunRow row;
  row.set_kind(v1::RUN_KIND_RETENTION);
  row.mutable_planned()->set_tags(made.plan.tags.size());
  row.mutable_planned()->set_manifests(made.plan.manifests.size());
  started.cut = made.plan.cut;
  started.too_large = made.plan.too_large;
  const ActiveRun::Work also = [&](MetaTransaction& transaction, v1::RunRow&) {
    return begin(transaction, started);
  };
  TRY(auto run, ActiveRun::Begin(work, std::move(row), by, also));
  return std::unique_ptr<Job>(
      std::make_unique<RetentionJob>(work, std::move(run), std::move(made.plan)));
}

Awaitable<void> Retention::RunWhenDueUntilCancelled(BlockingPool& pool) {
  return RepeatBlockingUntilCancelled(kLook, pool, [this] { RunIfDue(); });
}

void Retention::RunIfDue() {
  const Result<v1::AppliedPolicies> applied = Get();
  if (!applied.has_value()) return schedule_.Fail(applied.error());
  schedule_.RunIfDue(MinuteOfSchedule(applied->policies().schedule()));
}

}  // namespace outport::store
