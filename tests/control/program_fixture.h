#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "control/program.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::control {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

// Runs outportctl against a store.
class ProgramTest : public store::FleetServerFixture {
 protected:
  explicit ProgramTest(const std::vector<grpc::Service*>& more = {}) : FleetServerFixture(more) {
    EXPECT_TRUE(
        CreateAdminProfile(disk_, profile_, "admin", address_, fleet_.certificates).has_value());
  }
  Outcome RunWith(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "outportctl");
    std::vector<const char*> argv;
    argv.reserve(words.size());
    for (const std::string& word : words) argv.push_back(word.c_str());
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    EXPECT_EQ(::write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    ::close(ends[1]);
    std::ostringstream out;
    std::ostringstream err;
    Outcome outcome;
    outcome.status =
        control::Run(static_cast<int>(argv.size()), argv.data(), {ends[0], out, err, terminal_});
    ::close(ends[0]);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }
  // Runs a command with the administrator's profile.
  Outcome Control(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), {"--profile", profile_.native()});
    return RunWith(std::move(words), input);
  }
  static void ExpectOneLine(const Outcome& outcome, const std::string& said) {
    EXPECT_EQ(outcome.status, 1);
    EXPECT_TRUE(outcome.err.starts_with("outportctl: ")) << outcome.err;
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    EXPECT_NE(outcome.err.find(said), std::string::npos) << outcome.err;
  }

  std::filesystem::path profile_ = folder_.path() / "admin";
  bool terminal_ = false;  // whether the error stream of the program is one
};

}  // namespace outport::control
