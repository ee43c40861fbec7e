#include <boost/json/parse.hpp>
#include <fstream>

#include "registry/base/clock.h"
#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;

constexpr int64_t kHourMs = 3'600'000;
constexpr const char* kYaml = "policies: []\n";

class RetentionCommandsTest : public ContentProgramTest {
 protected:
  RetentionCommandsTest() {
    std::ofstream(file_) << kYaml;
    retention_.applied.set_by("root");
    retention_.applied.set_at_ms(1'000'000);
    retention_.applied.mutable_policies()->add_policies()->set_name("ci");
    retention_.plan.set_plan("5f0c2a9b");
    retention_.started.set_id("0000019a1f3c5e80-7d41b2c9");
    retention_.started.set_kind(v1::RUN_KIND_RETENTION);
    retention_.started.set_state(v1::RUN_STATE_DONE);
    retention_.started.mutable_removed()->set_tags(2);
  }
  v1::RetentionItem& AddItem(const std::string& tag, bool keep, const std::string& rule) {
    v1::RetentionItem& item = *retention_.plan.add_items();
    item.set_repository("ci/app");
    item.set_tag(tag);
    item.set_digest("sha256:" + std::string(64, 'a'));
    item.set_keep(keep);
    item.set_policy("ci");
    item.set_rule(rule);
    item.set_pushed_ms(ToUnixMillis(std::chrono::system_clock::now()) - 50 * kHourMs - 1000);
    return item;
  }
  static void ExpectPart(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }

  const std::filesystem::path file_ = folder_.path() / "retention.yml";
};

TEST_F(RetentionCommandsTest, ApplySendsTheFileAndItsName) {
  const Outcome outcome = Control({"retention", "apply", file_.native()});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(retention_.apply_request.yaml(), kYaml);
  EXPECT_EQ(retention_.apply_request.file_name(), file_.native());
  ExpectPart(outcome.out, "1 policy applied; no schedule");
}

TEST_F(RetentionCommandsTest, ApplyNamesTheLineThatIsNotUtf8) {
  std::ofstream(file_) << "policies:\n- name: ci\n  # f\xfcr alle\n";
  ExpectOneLine(Control({"retention", "apply", file_.native()}),
                file_.native() + ":3: is not UTF-8 text");
  EXPECT_EQ(retention_.apply_request.yaml(), "");
}

TEST_F(RetentionCommandsTest, ApplyShowsEveryProblemOfTheStore) {
  retention_.refusal = Refusal(ErrorCode::kInvalidArgument, "r.yml:2: one\nr.yml:5: two");
  const Outcome outcome = Control({"retention", "apply", file_.native()});
  EXPECT_EQ(outcome.status, 1);
  ExpectPart(outcome.err, "r.yml:2: one\n");
  ExpectPart(outcome.err, "r.yml:5: two");
}

TEST_F(RetentionCommandsTest, AFileThatIsMissingOrTooLargeIsNotSent) {
  EXPECT_EQ(Control({"retention", "apply", "/nowhere/retention.yml"}).status, 1);
  std::ofstream(file_) << std::string(65 * 1024, '#');
  ExpectOneLine(Control({"retention", "apply", file_.native()}), "64 KiB");
  EXPECT_EQ(retention_.apply_request.yaml(), "");
}

TEST_F(RetentionCommandsTest, ShowPrintsTheFileAsApplied) {
  retention_.applied.set_yaml(kYaml);
  retention_.applied.mutable_policies()->set_schedule("03:00");
  const std::string text = Control({"retention", "show"}).out;
  ExpectPart(text, "# applied by root at ");
  ExpectPart(text, "each day at 03:00");
  ExpectPart(text, kYaml);
  retention_.applied.Clear();
  ExpectPart(Control({"retention", "show"}).out, "no policies: all tags stay");
}

TEST_F(RetentionCommandsTest, ThePlanNamesTheRuleAndHowToRunIt) {
  AddItem("b1", false, "no condition holds: entry 1").set_freed_bytes(3 << 20);
  AddItem("b2", true, "entry 1: last_pushed 1");
  AddItem("b3", true, "latest stays");  // on the second page
  retention_.plan.set_repositories(1);
  retention_.plan.set_kept_tags(2);
  retention_.plan.set_dropped_tags(1);
  retention_.plan.set_freed_bytes(3 << 20);
  retention_.plan.add_nodes_without_report("eu-west");
  const Outcome outcome = Control({"retention", "plan"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  ExpectPart(outcome.out, "no condition holds: entry 1");
  ExpectPart(outcome.out, "latest stays");
  ExpectPart(outcome.out, "keeps 2 tags, deletes 1 tag; garbage collection can then free 3.0 MiB");
  ExpectPart(outcome.out, "from: eu-west");
  retention_.plan.set_freed_is_minimum(true);
  ExpectPart(Control({"retention", "plan"}).out, "can then free at least 3.0 MiB\n");
  ExpectPart(outcome.out,
             "reports of recent pulls are missing\n"
             "run it when the nodes have reported: outportctl retention run --plan 5f0c2a9b\n");
  EXPECT_EQ(outcome.out.find("\nrun it: "), std::string::npos) << outcome.out;
  ASSERT_EQ(retention_.plan_requests.size(), 4u);
  EXPECT_EQ(retention_.plan_requests[1].plan(), "5f0c2a9b");
}

TEST_F(RetentionCommandsTest, ThePlanSaysThatTheCollectorIsPaused) {
  AddItem("b1", false, "no condition holds: entry 1");
  retention_.plan.set_repositories(1);
  retention_.plan.set_dropped_tags(1);
  ExpectPart(Control({"retention", "plan"}).out,
             "\nrun it: outportctl retention run --plan 5f0c2a9b\n");
  gc_.collector.set_paused(true);
  gc_.collector.set_paused_by("ann");
  gc_.collector.set_paused_since_ms(1'000'000);
  ExpectPart(Control({"retention", "plan"}).out,
             "\nno run can start now: the collector is paused by ann since "
             "1970-01-01T00:16:40.000Z; 'outportctl gc resume' ends the pause\n"
             "then run it: outportctl retention run --plan 5f0c2a9b\n");
}

TEST_F(RetentionCommandsTest, ThePlanSaysWhyNoRepositoryIsInIt) {
  EXPECT_EQ(Control({"retention", "plan"}).out,
            "no repository matches a policy, so a run would delete nothing\n");
  retention_.applied.clear_policies();
  ExpectPart(Control({"retention", "plan"}).out, "there are no policies, so a run would delete");
}

TEST_F(RetentionCommandsTest, RefusesEmptyValues) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"retention", "apply", ""},
                                             {"retention", "run", "--ignore-node", ""},
                                             {"retention", "run", "--timeout", ""},
                                             {"retention", "plan", "--ignore-node", ""},
                                             {"gc", "undo", ""},
                                             {"gc", "plan", "--ignore-node", ""}}) {
    const Outcome outcome = Control(words);
    EXPECT_EQ(outcome.status, 2) << words.at(1) << outcome.out;
    ExpectPart(outcome.err, "must not be empty");
  }
}

TEST_F(RetentionCommandsTest, TheJsonOfAPlanHasEveryItem) {
  v1::RetentionItem& pulled = AddItem("b1", false, "no condition holds: entry 1");
  pulled.set_pulled_ms(1'000'000);
  AddItem("b2", false, "no condition holds: entry 1");
  retention_.plan.set_dropped_tags(1);
  const Outcome outcome =
      Control({"-o", "json", "retention", "plan", "--only-deletions", "--ignore-node", "a"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json::value plan = json::parse(outcome.out);
  EXPECT_EQ(plan.at("deleted_tags").as_int64(), 1);
  EXPECT_FALSE(plan.at("truncated").as_bool());
  EXPECT_EQ(plan.at("items").at(0).at("tag").as_string(), "b1");
  EXPECT_EQ(plan.at("items").at(0).at("last_pull_at").as_string(), "") << "at the store";
  EXPECT_TRUE(plan.at("items").at(1).at("last_pull_at").is_null());
  EXPECT_FALSE(plan.at("items").at(0).at("keep").as_bool());
  EXPECT_TRUE(retention_.plan_requests[0].only_drops());
  EXPECT_EQ(retention_.plan_requests[0].options().ignore_nodes(0), "a");
}

TEST_F(RetentionCommandsTest, ARunIsFollowedToItsEnd) {
  const Outcome outcome = Control({"retention", "run", "--plan", "5f0c2a9b"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(retention_.start_request.plan(), "5f0c2a9b");
  ExpectPart(outcome.out, "removed 2 tags");
  EXPECT_EQ(Control({"retention", "run", "--plan", "x", "--ignore-node", "a"}).status, 2);
}

TEST_F(RetentionCommandsTest, APlanThatNoLongerHoldsFails) {
  retention_.refusal = Refusal(ErrorCode::kFailedPrecondition, "the plan no longer holds: x");
  ExpectOneLine(Control({"retention", "run", "--plan", "x"}), "no longer holds");
}

}  // namespace
}  // namespace outport::control
