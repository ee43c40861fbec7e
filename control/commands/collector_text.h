#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"

namespace outport::control {

// Descriptions of the garbage collector and its runs, for the families `gc` and `status`.

// The names of the output for programs: "requested", "done".
std::string NameOf(v1::RunKind kind);
// "open" while clients may add deletions to the run.
std::string StateOf(const v1::RunRow& run);

// Returns one line that says what the collector does now: "paused by admin: maintenance".
std::string ActivityOf(const v1::Collector& collector);
// Says that due links or due trash have not gone for long, and what to do. Each warning begins with
// "... is overdue: ".
std::vector<std::string> OverdueWarnings(const v1::Collector& collector);
// Everything on which an administrator must act: overdue work, a clock that jumped.
std::vector<std::string> WarningsOf(const v1::Collector& collector);
boost::json::object JsonOf(const v1::Collector& collector);
// Returns why the collector removes nothing and starts no run, and what to do. Empty if it works.
std::string BlockOf(const v1::Collector& collector);
// The last line of a plan: the command that runs it. Before it, why no run can start now.
std::string RunHint(const v1::Collector& collector, const std::string& command);

// The number of items that a run counts: blobs go with their last link.
uint64_t ItemsOf(const v1::RunCounts& counts);
// The number of items that an undo left as they are: they were there already, or a tag has changed
// since the run. 0 if the run is not undone.
uint64_t LeftAsIs(const v1::RunRow& run);
// The content in words: "480 links, 20 manifests (1.2 GiB)". "nothing" if there is none.
std::string ToText(const v1::RunCounts& counts);
boost::json::object JsonOf(const v1::RunCounts& counts);
boost::json::object JsonOf(const v1::RunRow& run);

}  // namespace outport::control
