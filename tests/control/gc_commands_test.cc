#include <boost/json/parse.hpp>

#include "registry/base/clock.h"
#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;

constexpr int64_t kHourMs = 3'600'000;

int64_t HoursAgo(int64_t hours) {
  return ToUnixMillis(std::chrono::system_clock::now()) - hours * kHourMs - 1000;
}

std::string DigestNumber(int number) {
  std::string digits = std::to_string(number);
  return "sha256:" + std::string(64 - digits.size(), '0') + digits;
}

class GcCommandsTest : public ContentProgramTest {
 protected:
  GcCommandsTest() {
    gc_.collector.set_in_window(true);
    gc_.collector.set_scanned(true);
    gc_.collector.set_trash_ms(24 * kHourMs);
  }
  v1::PlanItem& AddItem(const std::string& kind, v1::PlanReason reason) {
    v1::PlanItem& item = *gc_.plan.add_items();
    item.set_kind(kind);
    item.set_repository("team/app");
    item.set_digest(DigestNumber(gc_.plan.items_size()));
    item.set_reason(reason);
    item.set_since_ms(HoursAgo(50));
    v1::RunCounts& counts = *gc_.plan.mutable_counts();
    if (kind == "link") counts.set_links(counts.links() + 1);
    if (kind == "manifest") counts.set_manifests(counts.manifests() + 1);
    return item;
  }
  static v1::RunRow Run(v1::RunState state, uint64_t removed) {
    v1::RunRow run;
    run.set_id("0000019a1f3c5e80-7d41b2c9");
    run.set_kind(v1::RUN_KIND_REQUESTED);
    run.set_state(state);
    run.set_started_ms(1'000'000);
    if (state != v1::RUN_STATE_RUNNING) run.set_ended_ms(1'065'000);
    run.mutable_planned()->set_links(3);
    run.mutable_removed()->set_links(removed);
    run.mutable_removed()->set_blobs(removed);
    run.mutable_removed()->set_blob_bytes(removed << 20);
    return run;
  }
  json::value Json(std::vector<std::string> words) {
    words.insert(words.begin(), {"-o", "json"});
    const Outcome outcome = Control(std::move(words));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(outcome.out);
  }
  static void ExpectPart(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
};

TEST_F(GcCommandsTest, ThePlanSaysWhatGoesWhyAndHowToRunIt) {
  v1::PlanItem& link = AddItem("link", v1::PLAN_REASON_UNREFERENCED);
  link.set_size_bytes(3 << 20);
  link.set_freed_bytes(3 << 20);
  v1::PlanItem& manifest = AddItem("manifest", v1::PLAN_REASON_UNTAGGED);
  manifest.set_size_bytes(700);
  manifest.set_last_pulled_ms(HoursAgo(3));
  manifest.set_last_pulled_at("eu-west");
  gc_.plan.set_plan("5f0c2a9b");
  gc_.plan.set_recently_pulled(7);
  gc_.plan.set_last_pulled_ms(HoursAgo(2));
  gc_.plan.set_last_pulled_at("us-east");
  gc_.plan.set_freed_bytes(3 << 20);
  gc_.plan.set_waiting(4);
  gc_.plan.set_next_due_ms(1'000'000);
  const std::string text = Control({"gc", "plan"}).out;
  EXPECT_EQ(text,
            "KIND       REPOSITORY   DIGEST                REASON         SINCE       SIZE      F"
            "REES     LAST PULL\n"
            "link       team/app     sha256:000000000000   unreferenced   2d 2h ago   3.0 MiB   3"
            ".0 MiB\n"
            "manifest   team/app     sha256:000000000000   untagged       2d 2h ago   700 B     0"
            " B       3h ago at node eu-west\n"
            "\n"
            "1 link, 1 manifest; frees 3.0 MiB\n"
            "note: 7 items had a pull in the last 7 days, the last one 2h ago at node us-east\n"
            "waiting for the grace period: 4 links, the first is due at 1970-01-01T00:16:40.000Z\n"
            "plan: 5f0c2a9b\n"
            "run it: outportctl gc run --plan 5f0c2a9b\n");
}

TEST_F(GcCommandsTest, ThePlanAsJsonHasWholeDigestsAndBytes) {
  v1::PlanItem& item = AddItem("manifest", v1::PLAN_REASON_NO_SUBJECT);
  item.set_since_ms(1'000'000);
  item.set_size_bytes(700);
  item.set_freed_bytes(600);
  gc_.plan.set_plan("5f0c2a9b");
  gc_.plan.set_cut(true);
  gc_.plan.set_recently_pulled(7);
  gc_.plan.set_last_pulled_ms(1'000'000);
  gc_.plan.set_last_pulled_at("us-east");
  gc_.plan.add_nodes_without_report("eu-west");
  const json::value plan = Json({"gc", "plan"});
  EXPECT_EQ(plan.at("recently_pulled").as_int64(), 7);
  EXPECT_EQ(plan.at("last_pull").as_string(), "1970-01-01T00:16:40.000Z");
  EXPECT_EQ(plan.at("last_pull_at").as_string(), "us-east");
  EXPECT_EQ(plan.at("plan").as_string(), "5f0c2a9b");
  EXPECT_EQ(plan.at("manifests").as_int64(), 1);
  EXPECT_EQ(plan.at("links").as_int64(), 0);
  EXPECT_TRUE(plan.at("truncated").as_bool());
  EXPECT_EQ(plan.at("nodes_without_report").at(0).as_string(), "eu-west");
  const json::value& shown = plan.at("items").at(0);
  EXPECT_EQ(shown.at("kind").as_string(), "manifest");
  EXPECT_EQ(shown.at("repository").as_string(), "team/app");
  EXPECT_EQ(shown.at("digest").as_string(), DigestNumber(1));
  EXPECT_EQ(shown.at("reason").as_string(), "no_subject");
  EXPECT_EQ(shown.at("since").as_string(), "1970-01-01T00:16:40.000Z");
  EXPECT_EQ(shown.at("size_bytes").as_int64(), 700);
  EXPECT_EQ(shown.at("freed_bytes").as_int64(), 600);
  EXPECT_EQ(shown.at("last_pull").as_string(), "");
}

TEST_F(GcCommandsTest, AnEmptyPlanOffersNoRun) {
  const std::string text = Control({"gc", "plan"}).out;
  ExpectPart(text, "a run would remove nothing now");
  EXPECT_EQ(text.find("gc run"), std::string::npos);
}

TEST_F(GcCommandsTest, AnnouncesWhatAPlanLeavesOut) {
  AddItem("link", v1::PLAN_REASON_UNREFERENCED);
  gc_.plan.set_cut(true);
  gc_.plan.add_nodes_without_report("eu-west");
  gc_.plan.add_nodes_without_report("us-east");
  const std::string text = Control({"gc", "plan", "--delete-untagged"}).out;
  ExpectPart(text, "plan again after the run");
  ExpectPart(text,
             "recent pulls from: eu-west, us-east; to go on without a node, add "
             "--ignore-node NAME");
}

TEST_F(GcCommandsTest, PassesTheOptionsOfAPlan) {
  Control({"gc", "plan", "--delete-untagged", "--repository", "team/**", "--ignore-node", "eu",
           "--ignore-node", "us"});
  const v1::PlanOptions& options = gc_.plan_requests.at(0).options();
  EXPECT_TRUE(options.delete_untagged());
  EXPECT_EQ(options.repositories(), "team/**");
  ASSERT_EQ(options.ignore_nodes_size(), 2);
  EXPECT_EQ(options.ignore_nodes(1), "us");
}

// "$REPO" of a shell may be empty. Then the command must not collect all repositories.
TEST_F(GcCommandsTest, RefusesAnEmptyRepositoryAndAnEmptyPlan) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"gc", "run", "--delete-untagged", "--repository", ""},
                                             {"gc", "run", "--repository="},
                                             {"gc", "plan", "--repository", ""},
                                             {"gc", "run", "--plan", ""},
                                             {"retention", "run", "--plan", ""}}) {
    const Outcome outcome = Control(words);
    EXPECT_EQ(outcome.status, 2) << outcome.out;
    ExpectPart(outcome.err,
               words.back().starts_with("--") ? "--repository" : words.at(words.size() - 2));
  }
  EXPECT_TRUE(gc_.plan_requests.empty());
}

// The pages after the first name the plan, so that the store can refuse when content has changed.
TEST_F(GcCommandsTest, ReadsAPlanPageByPage) {
  for (int i = 0; i < 11000; ++i) AddItem("link", v1::PLAN_REASON_UNREFERENCED);
  gc_.plan.set_plan("5f0c2a9b");
  const json::value plan = Json({"gc", "plan", "--limit", "100000"});
  ASSERT_EQ(plan.at("items").as_array().size(), 11000u);
  EXPECT_EQ(plan.at("items").at(10999).at("digest").as_string(), DigestNumber(11000));
  ASSERT_EQ(gc_.plan_requests.size(), 3u);
  EXPECT_EQ(gc_.plan_requests[0].plan(), "");
  EXPECT_EQ(gc_.plan_requests[2].plan(), "5f0c2a9b");
  EXPECT_EQ(gc_.plan_requests[2].offset(), 10000u);
}

TEST_F(GcCommandsTest, ListsAtMostTheLimitButCountsAll) {
  for (int i = 0; i < 5; ++i) AddItem("link", v1::PLAN_REASON_UNREFERENCED);
  const std::string text = Control({"gc", "plan", "--limit", "2"}).out;
  ExpectPart(text, "... and 3 items more");
  ExpectPart(text, "5 links, 0 manifests");
  EXPECT_EQ(gc_.plan_requests.size(), 1u);
}

TEST_F(GcCommandsTest, ARunShowsItsProgressItsResultAndTheUndo) {
  gc_.progress = {Run(v1::RUN_STATE_RUNNING, 0), Run(v1::RUN_STATE_RUNNING, 1),
                  Run(v1::RUN_STATE_DONE, 2)};
  gc_.progress.back().set_kept(1);
  terminal_ = true;
  const Outcome outcome = Control({"gc", "run", "--plan", "5f0c2a9b"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(gc_.start_request.plan(), "5f0c2a9b");
  EXPECT_FALSE(gc_.start_request.has_options());
  ExpectPart(outcome.err, "run 0000019a1f3c5e80-7d41b2c9: removed 0 of 3 items");
  EXPECT_EQ(outcome.out,
            "run 0000019a1f3c5e80-7d41b2c9 removed 2 links, 2 blobs (2.0 MiB); 1 item stays, "
            "because it is in use again or must wait\n"
            "undo it until 1970-01-02T00:17:45.000Z: outportctl gc undo "
            "0000019a1f3c5e80-7d41b2c9\n");
}

TEST_F(GcCommandsTest, ARunThatNothingCanUndoOffersNoUndo) {
  gc_.collector.set_trash_ms(0);
  gc_.progress = {Run(v1::RUN_STATE_DONE, 2)};
  EXPECT_EQ(Control({"gc", "run"}).out.find("undo"), std::string::npos);
}

TEST_F(GcCommandsTest, ARunAsJson) {
  gc_.progress = {Run(v1::RUN_STATE_DONE, 2)};
  const json::value run = Json({"gc", "run", "--delete-untagged"});
  EXPECT_TRUE(gc_.start_request.options().delete_untagged());
  EXPECT_EQ(run.at("run").as_string(), "0000019a1f3c5e80-7d41b2c9");
  EXPECT_EQ(run.at("kind").as_string(), "requested");
  EXPECT_EQ(run.at("state").as_string(), "done");
  EXPECT_EQ(run.at("removed").at("links").as_int64(), 2);
  EXPECT_EQ(run.at("removed").at("blob_bytes").as_int64(), 2 << 20);
  EXPECT_EQ(run.at("planned").at("links").as_int64(), 3);
}

TEST_F(GcCommandsTest, ARunNeedNotBeWaitedFor) {
  gc_.progress = {Run(v1::RUN_STATE_RUNNING, 0)};
  const Outcome outcome = Control({"gc", "run", "--no-wait"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "run 0000019a1f3c5e80-7d41b2c9 started; see 'outportctl gc status', and 'outportctl gc "
            "history' when it has ended\n");
}

TEST_F(GcCommandsTest, ExplainsWhyARunDoesNotStart) {
  gc_.refusal = Refusal(ErrorCode::kFailedPrecondition, "the plan no longer holds; plan again");
  ExpectOneLine(Control({"gc", "run", "--plan", "5f0c2a9b"}), "the plan no longer holds");
}

TEST_F(GcCommandsTest, AFailedRunFailsTheCommand) {
  gc_.progress = {Run(v1::RUN_STATE_RUNNING, 0), Run(v1::RUN_STATE_FAILED, 1)};
  gc_.progress.back().set_failure("no space left");
  const Outcome outcome = Control({"gc", "run"});
  EXPECT_EQ(outcome.status, 1);
  ExpectPart(outcome.err, "failed after it removed 1 link, 1 blob (1.0 MiB): no space left");
  ExpectPart(outcome.err, "gc undo 0000019a1f3c5e80-7d41b2c9");
}

TEST_F(GcCommandsTest, APlanExcludesOtherOptions) {
  EXPECT_EQ(Control({"gc", "run", "--plan", "5f", "--delete-untagged"}).status, 2);
  EXPECT_EQ(Control({"gc", "run", "--plan", "5f", "--repository", "a"}).status, 2);
}

TEST_F(GcCommandsTest, AnInterruptLeavesTheRunGoing) {
  gc_.progress = {Run(v1::RUN_STATE_RUNNING, 1)};
  gc_.interrupt = SIGINT;
  const Outcome outcome = Control({"gc", "run"});
  EXPECT_EQ(outcome.status, 1);
  ExpectPart(outcome.err, "interrupted; run 0000019a1f3c5e80-7d41b2c9 continues at the store");
}

TEST_F(GcCommandsTest, AWaitHasALimit) {
  gc_.progress = {Run(v1::RUN_STATE_RUNNING, 1)};
  const Outcome outcome = Control({"gc", "run", "--timeout", "50ms"});
  EXPECT_EQ(outcome.status, 1);
  ExpectPart(outcome.err, "stopped waiting");
  ExpectPart(outcome.err, "continues at the store");
}

TEST_F(GcCommandsTest, ListsTheRunsOfAllPages) {
  for (const char* id : {"5", "4", "3", "2", "1"}) {
    v1::RunRow& run = gc_.runs.emplace_back(Run(v1::RUN_STATE_DONE, 1));
    run.set_id(id);
    run.set_kind(v1::RUN_KIND_BACKGROUND);
  }
  EXPECT_EQ(Json({"gc", "history"}).as_array().size(), 5u);
  const json::value three = Json({"gc", "history", "--limit", "3"});
  ASSERT_EQ(three.as_array().size(), 3u);
  EXPECT_EQ(three.at(2).at("run").as_string(), "3");
  const std::string text = Control({"gc", "history"}).out;
  ExpectPart(text, "RUN   KIND         STATE   STARTED");
  ExpectPart(text, "1m 5s");
  ExpectPart(text, "1 link, 1 blob (1.0 MiB)");
}

TEST_F(GcCommandsTest, TheRunOfThisHoursDeletionsIsOpen) {
  v1::RunRow& run = gc_.runs.emplace_back(Run(v1::RUN_STATE_RUNNING, 1));
  run.set_kind(v1::RUN_KIND_CLIENTS);
  run.set_ended_ms(run.started_ms() + kHourMs);
  const json::value shown = Json({"gc", "history"}).at(0);
  EXPECT_EQ(shown.at("state").as_string(), "open");
  EXPECT_EQ(shown.at("ended").as_string(), "");
  const std::string text = Control({"gc", "history"}).out;
  ExpectPart(text, "clients   open");
  EXPECT_EQ(text.find("1h"), std::string::npos) << text;
}

TEST_F(GcCommandsTest, TheStatusOfTheCollector) {
  gc_.collector.set_window("01:00-05:00");
  gc_.collector.set_in_window(false);
  gc_.collector.set_condemned(7);
  gc_.collector.set_orphaned(2);
  gc_.collector.set_trash_blobs(2);
  gc_.collector.set_trash_bytes(5 << 20);
  gc_.collector.set_grace_ms(36 * kHourMs);
  const std::string text = Control({"gc", "status"}).out;
  ExpectPart(text, "collector     waits for its window, 01:00-05:00\n");
  ExpectPart(text, "condemned     7 links\norphaned      referrers of 2 removed manifests\n");
  ExpectPart(text, "trash         2 blobs, 5.0 MiB\n");
  ExpectPart(text, "grace         1d 12h\n");
  EXPECT_EQ(text.find("warning"), std::string::npos);
  const json::value status = Json({"gc", "status"});
  EXPECT_EQ(status.at("condemned").as_int64(), 7);
  EXPECT_EQ(status.at("orphaned").as_int64(), 2);
  EXPECT_EQ(status.at("trash_bytes").as_int64(), 5 << 20);
  EXPECT_TRUE(status.at("warnings").as_array().empty());
}

TEST_F(GcCommandsTest, PausesAndResumes) {
  gc_.collector.set_paused_by("admin");
  const Outcome paused = Control({"gc", "pause", "--why", "maintenance"});
  EXPECT_EQ(paused.status, 0) << paused.err;
  EXPECT_EQ(gc_.collector.paused_why(), "maintenance");
  ExpectPart(Control({"gc", "status"}).out, "paused by admin");
  ExpectPart(Control({"gc", "resume"}).out, "the collector is resumed: active");
  EXPECT_FALSE(gc_.collector.paused());
}

TEST_F(GcCommandsTest, APauseNamesTheOneThatItReplaces) {
  EXPECT_EQ(Control({"gc", "pause"}).out.find("earlier pause"), std::string::npos);
  gc_.collector.set_paused_by("ann");
  gc_.collector.set_paused_since_ms(1'000'000);
  gc_.collector.set_paused_why("restoring team/app");
  ExpectPart(Control({"gc", "pause"}).out,
             "this replaces an earlier pause by ann since 1970-01-01T00:16:40.000Z: restoring "
             "team/app\n");
}

TEST_F(GcCommandsTest, TheReasonOfAPauseCannotWriteOnATerminal) {
  const std::string why = "x\x1b[2J\nwarning: fake";
  EXPECT_EQ(Control({"gc", "pause", "--why", why}).status, 0);
  EXPECT_EQ(gc_.collector.paused_why(), why);
  for (const std::vector<std::string>& words : {std::vector<std::string>{"gc", "status"},
                                                {"gc", "pause"},
                                                {"-o", "json", "gc", "status"}}) {
    gc_.collector.set_paused_why(why);
    const std::string out = Control(words).out;
    EXPECT_EQ(out.find('\x1b'), std::string::npos) << out;
    EXPECT_EQ(out.find("\nwarning"), std::string::npos) << out;
  }
  EXPECT_EQ(Json({"gc", "status"}).at("paused_why").as_string(), why);
}

TEST_F(GcCommandsTest, TheReasonOfAPauseIsBounded) {
  EXPECT_EQ(Control({"gc", "pause", "--why", std::string(1000, 'x')}).status, 0);
  ExpectOneLine(Control({"gc", "pause", "--why", std::string(1001, 'y')}), "--why has 1001 bytes");
  EXPECT_EQ(gc_.collector.paused_why(), std::string(1000, 'x'));
}

TEST_F(GcCommandsTest, AResumeSaysThatThereIsNothingToResume) {
  const Outcome resumed = Control({"gc", "resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.err;
  EXPECT_EQ(resumed.out,
            "nothing to resume: the collector is not paused; the collector now: active\n");
  const Outcome accepted = Control({"gc", "resume", "--accept-clock"});
  EXPECT_EQ(accepted.status, 0) << accepted.err;
  ExpectPart(accepted.out, "no clock to accept");
}

TEST_F(GcCommandsTest, WarnsOfAClockThatJumped) {
  gc_.collector.set_clock_jump_ms(37 * kHourMs);
  ExpectPart(Control({"gc", "status"}).out,
             "warning: the wall clock was ahead of the store clock by 1d 13h when the machine "
             "started, so the collector waits");
  ExpectPart(Control({"gc", "resume", "--accept-clock"}).out, "the collector is resumed");
  EXPECT_EQ(gc_.collector.clock_jump_ms(), 0);
}

TEST_F(GcCommandsTest, SaysThatItWaitsBecauseTheClockStepped) {
  gc_.collector.set_clock_step_wait_ms(40 * 60'000);
  ExpectPart(Control({"gc", "status"}).out, "because the clock stepped forward");
  EXPECT_EQ(Json({"gc", "status"}).at("clock_step_wait_ms").as_int64(), 40 * 60'000);
}

}  // namespace
}  // namespace outport::control
