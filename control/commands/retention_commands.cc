#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <optional>
#include <utility>

#include "control/commands/commands.h"
#include "control/commands/run_following.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/retention.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/base/utf8.h"

namespace outport::control {
namespace {

using Stub = v1::Retention::Stub;

constexpr uint64_t kMaxFileBytes = 64 * 1024;

boost::json::object JsonOf(const v1::AppliedPolicies& applied) {
  boost::json::array policies;
  for (const v1::RetentionPolicy& policy : applied.policies().policies()) {
    policies.push_back(boost::json::object{
        {"name", policy.name()},
        {"repositories",
         boost::json::array(policy.repositories().begin(), policy.repositories().end())}});
  }
  return {{"by", applied.by()},
          {"at", ToTime(applied.at_ms())},
          {"schedule", applied.policies().schedule()},
          {"policies", std::move(policies)},
          {"yaml", applied.yaml()}};
}

std::string ScheduleText(const v1::RetentionPolicies& policies) {
  if (policies.schedule().empty()) return "no schedule: they run by hand";
  return "they run each day at " + policies.schedule() + " of the store's time";
}

// Checks what the store cannot report, because a message to it holds only UTF-8 text.
Result<void> CheckText(const std::string& text, const std::string& path) {
  const std::optional<size_t> invalid = FindInvalidUtf8(text);
  if (!invalid.has_value()) return {};
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(*invalid);
  return Error{ErrorCode::kInvalidArgument,
               path + ":" + std::to_string(1 + std::count(text.begin(), end, '\n')) +
                   ": is not UTF-8 text; save the file as UTF-8"};
}

Result<void> Apply(const Invocation& invocation, const std::string& path) {
  std::error_code failure;
  if (std::filesystem::file_size(path, failure) > kMaxFileBytes && !failure) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + path + "' is larger than 64 KiB; write fewer policies"};
  }
  v1::ApplyPoliciesRequest request;
  TRY(*request.mutable_yaml(), ReadWholeFile(path));
  TRY_VOID(CheckText(request.yaml(), path));
  request.set_file_name(path);
  TRY(StoreClient client, invocation.Connect());
  v1::AppliedPolicies applied;
  TRY_VOID(client.Call(&Stub::ApplyPolicies, request, applied, "applying the policies"));
  const auto count = static_cast<uint64_t>(applied.policies().policies_size());
  invocation.Print(JsonOf(applied), CountText(count, "policy", "policies") + " applied; " +
                                        ScheduleText(applied.policies()) +
                                        "\nsee what a run would delete: outportctl retention plan");
  return {};
}

Result<void> Show(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::AppliedPolicies applied;
  TRY_VOID(
      client.Call(&Stub::GetPolicies, v1::GetPoliciesRequest(), applied, "reading the policies"));
  if (applied.at_ms() == 0) {
    invocation.Print(JsonOf(applied),
                     "no policies: all tags stay; 'outportctl retention apply FILE' sets policies");
    return {};
  }
  invocation.Print(JsonOf(applied), "# applied by " + applied.by() + " at " +
                                        ToTime(applied.at_ms()) + "; " +
                                        ScheduleText(applied.policies()) + "\n" + applied.yaml());
  return {};
}

struct StartRun {
  std::string plan;
  std::vector<std::string> ignore_nodes;
  WaitOptions waiting;
};

Result<void> Run(const Invocation& invocation, const StartRun& options) {
  TRY_VOID(ParseSpan("--timeout", options.waiting.timeout));
  InterruptibleWait wait;
  TRY(StoreClient client, invocation.Connect());
  v1::StartRetentionRequest request;
  request.set_plan(options.plan);
  for (const std::string& node : options.ignore_nodes) {
    request.mutable_options()->add_ignore_nodes(node);
  }
  v1::RunRow run;
  TRY_VOID(client.Call(&Stub::StartRun, request, run, "starting the run"));
  return FollowRun(invocation, client, std::move(run), options.waiting, wait);
}

void AddRun(const Command& family) {
  auto options = std::make_shared<StartRun>();  // shared with the callback
  const Command run = family.AddCommand(
      "run",
      "Delete the tags that a plan lists, or those that the policies do not keep. A tag that got\n"
      "another digest meanwhile stays. So does a tag that was pulled meanwhile, if an entry that\n"
      "matches it has pulled_within or last_pulled. A push of the same digest changes nothing.\n"
      "Until the trash window ends, 'gc undo' restores the tags. Ctrl-C ends only the wait.\n"
      "  outportctl retention run --plan "
      "retention-0000019a1f3c4a10-3-8d0f5a1c6b2e4f70913a5c7d9e0b2f46");
  const Option plan =
      run.AddOption("--plan", options->plan, "Run exactly this plan; fails if tags have changed")
          .NotEmpty();
  const Option ignore =
      run.AddOption("--ignore-node", options->ignore_nodes,
                    "Run although this node has not reported its recent pulls; repeatable")
          .NotEmpty();
  plan.Excludes(ignore);
  options->waiting.AddTo(run);
  run.Run(options, Run);
}

}  // namespace

void AddRetentionCommands(const Command& app) {
  const Command family = app.AddFamily(
      "retention",
      "Delete old tags by policies, which say what stays:\n"
      "  outportctl retention apply retention.yml   set the policies\n"
      "  outportctl retention plan                  what a run would keep and delete, and why\n"
      "  outportctl retention run --plan ID         delete exactly this\n"
      "Only tags go; garbage collection then frees what nothing refers to.");
  auto path = std::make_shared<std::string>();  // shared with the callback
  const Command apply = family.AddCommand(
      "apply",
      "Replace all policies by those of a YAML file. Deletes nothing: a run does. The store\n"
      "checks the file, and names each problem with its line.\n"
      "  outportctl retention apply retention.yml");
  apply.AddOption("FILE", *path, "The policies").Required().NotEmpty();
  apply.Run(path, Apply);
  family
      .AddCommand("show",
                  "Show the policies as they were applied, by whom and when.\n"
                  "  outportctl retention show")
      .Run(Show);
  AddRetentionPlanCommand(family);
  AddRun(family);
}

}  // namespace outport::control
