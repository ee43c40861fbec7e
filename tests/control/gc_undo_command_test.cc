#include <boost/json/parse.hpp>

#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;

const std::string kRun = "0000019a1f3c5e80-7d41b2c9";

class GcUndoCommandTest : public ContentProgramTest {
 protected:
  // The undo of a run that had removed so many links.
  void SetUndone(v1::RunState state, uint64_t removed, uint64_t restored, uint64_t not_restored) {
    v1::RunRow run;
    run.set_id(kRun);
    run.set_kind(v1::RUN_KIND_REQUESTED);
    run.set_state(v1::RUN_STATE_UNDOING);
    run.mutable_removed()->set_links(removed);
    gc_.progress = {run};
    run.set_state(state);
    run.mutable_restored()->set_links(restored);
    run.set_not_restored(not_restored);
    gc_.progress.push_back(run);
  }
  std::string Undone(uint64_t removed, uint64_t restored, uint64_t not_restored) {
    SetUndone(v1::RUN_STATE_UNDONE, removed, restored, not_restored);
    const Outcome outcome = Control({"gc", "undo", kRun});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "") << "no progress without a terminal";
    return outcome.out;
  }
};

TEST_F(GcUndoCommandTest, WaitsUntilTheRunIsUndone) {
  EXPECT_EQ(Undone(3, 3, 0), "run " + kRun + " undone: restored 3 links\n");
  EXPECT_EQ(gc_.undone, kRun);
}

TEST_F(GcUndoCommandTest, NamesWhatWasLeftAsIsAndWhatIsLost) {
  EXPECT_EQ(Undone(7, 3, 2), "run " + kRun +
                                 " undone: restored 3 links; 2 items stay as they are: there "
                                 "already, or changed since; 2 items "
                                 "could not be restored: freed, gone or protected\n");
  EXPECT_EQ(
      Undone(4, 3, 0),
      "run " + kRun +
          " undone: restored 3 links; 1 item stays as it is: there already, or changed since\n");
}

TEST_F(GcUndoCommandTest, SaysWhyItRestoredNothing) {
  EXPECT_EQ(Undone(0, 0, 0),
            "run " + kRun + " undone: restored nothing, because it had removed nothing\n");
  EXPECT_EQ(
      Undone(2, 0, 0),
      "run " + kRun +
          " undone: restored nothing; 2 items stay as they are: there already, or changed since\n");
}

// The undo also restores the children of an index, which another run may have removed.
TEST_F(GcUndoCommandTest, MayRestoreMoreThanTheRunRemoved) {
  EXPECT_EQ(Undone(2, 3, 0), "run " + kRun + " undone: restored 3 links\n");
}

TEST_F(GcUndoCommandTest, TheNumbersAsJson) {
  SetUndone(v1::RUN_STATE_UNDONE, 7, 3, 2);
  const Outcome outcome = Control({"-o", "json", "gc", "undo", kRun});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json::value run = json::parse(outcome.out);
  EXPECT_EQ(run.at("left_as_is").as_int64(), 2);
  EXPECT_EQ(run.at("not_restored").as_int64(), 2);
}

TEST_F(GcUndoCommandTest, FailsAfterTheTrashWindow) {
  SetUndone(v1::RUN_STATE_FREED, 3, 0, 0);
  const Outcome outcome = Control({"gc", "undo", kRun});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.err.find("the trash window has ended"), std::string::npos) << outcome.err;
}

}  // namespace
}  // namespace outport::control
