#pragma once

#include <string>
#include <vector>

#include "control/console/command.h"
#include "outport/v1/gc.pb.h"

namespace outport::control {

// The options of `gc plan` and `gc run` that say what a plan may contain.
struct PlanChoice {
  bool delete_untagged = false;
  std::string repositories;
  std::vector<std::string> ignore_nodes;

  // Adds the options to a command, and returns them. The PlanChoice outlives the command's run.
  std::vector<Option> AddTo(const Command& command);
  v1::PlanOptions ToOptions() const;
};

}  // namespace outport::control
