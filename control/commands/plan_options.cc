#include "control/commands/plan_options.h"

namespace outport::control {

std::vector<Option> PlanChoice::AddTo(const Command& command) {
  return {command.AddFlag("--delete-untagged", delete_untagged,
                          "Also remove manifests without a tag that no index lists and that belong "
                          "to no other manifest"),
          command
              .AddOption("--repository", repositories,
                         "Only repositories that match: team/app, team/*, team/** "
                         "(default: all)")
              .NotEmpty(),
          command
              .AddOption("--ignore-node", ignore_nodes,
                         "Remove untagged manifests although this node has not reported its "
                         "recent pulls; repeatable")
              .NotEmpty()};
}

v1::PlanOptions PlanChoice::ToOptions() const {
  v1::PlanOptions options;
  options.set_delete_untagged(delete_untagged);
  options.set_repositories(repositories);
  for (const std::string& node : ignore_nodes) options.add_ignore_nodes(node);
  return options;
}

}  // namespace outport::control
