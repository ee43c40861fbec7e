#include <boost/json/parse.hpp>

#include "registry/base/clock.h"
#include "tests/control/fake_content.h"

namespace outport::control {
namespace {

namespace json = boost::json;

const std::string kBefore = "sha256:" + std::string(64, 'a');
const std::string kHex12 = std::string(12, 'd');
const std::string kUpload = "6f1d2c3b4a5968770f1e2d3c4b5a6978";
const std::string kAfter = "sha256:" + std::string(64, 'b');

class TagCommandsTest : public ContentProgramTest {
 protected:
  void AddEvent(const std::string& tag, const std::string& before, const std::string& after) {
    v1::TagEvent& event = content_.events.emplace_back();
    event.set_tag(tag);
    event.set_restorable(true);
    event.mutable_row()->set_time_ms(1'000'000);
    event.mutable_row()->set_before(before);
    event.mutable_row()->set_after(after);
    event.mutable_row()->set_by("user ci");
    event.mutable_row()->set_node("eu-west");
  }
  json::value Json(std::vector<std::string> words) {
    words.insert(words.begin(), {"-o", "json"});
    const Outcome outcome = Control(std::move(words));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return json::parse(outcome.out);
  }
};

TEST_F(TagCommandsTest, TheHistorySaysWhoMovedATagAndFromWhere) {
  AddEvent("latest", kBefore, kAfter);
  EXPECT_EQ(Control({"tag", "history", "team/app:latest"}).out,
            "TIME                       TAG      BEFORE                AFTER                 BY  "
            "      NODE      WHY   RESTORABLE\n"
            "1970-01-01T00:16:40.000Z   latest   sha256:aaaaaaaaaaaa   sha256:bbbbbbbbbbbb   user"
            " ci   eu-west         yes\n");
  EXPECT_EQ(content_.history_request.repository(), "team/app");
  EXPECT_EQ(content_.history_request.tag(), "latest");
  const json::value event = Json({"tag", "history", "team/app"}).at(0);
  EXPECT_EQ(content_.history_request.tag(), "");
  EXPECT_EQ(event.at("before").as_string(), kBefore);
  EXPECT_EQ(event.at("after").as_string(), kAfter);
  EXPECT_EQ(event.at("by").as_string(), "user ci");
  EXPECT_EQ(event.at("node").as_string(), "eu-west");
  EXPECT_TRUE(event.at("restorable").as_bool());
}

TEST_F(TagCommandsTest, TheHistoryIsReadPageByPageUpToTheLimit) {
  for (const char* tag : {"5", "4", "3", "2", "1"}) AddEvent(tag, "", kAfter);
  EXPECT_EQ(Json({"tag", "history", "team/app"}).as_array().size(), 5u);
  const json::value three = Json({"tag", "history", "team/app", "--limit", "3"});
  ASSERT_EQ(three.as_array().size(), 3u);
  EXPECT_EQ(three.at(2).at("tag").as_string(), "3");
}

TEST_F(TagCommandsTest, RestoresTheDigestBeforeTheLastChange) {
  content_.restored.set_digest(kBefore);
  content_.restored.set_before(kAfter);
  content_.restored.set_sequence(42);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest"}).out,
            "team/app:latest is " + kBefore + " (before: " + kAfter +
                ")\nto go back: outportctl tag restore team/app:latest --to " + kAfter + "\n");
  EXPECT_EQ(content_.restore_request.to_case(), v1::RestoreTagRequest::TO_NOT_SET);
  content_.restored.clear_before();
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest"}).out,
            "team/app:latest is " + kBefore + " (it was deleted)\n");
  const json::value restored = Json({"tag", "restore", "team/app:latest"});
  EXPECT_EQ(restored.at("digest").as_string(), kBefore);
  EXPECT_EQ(restored.at("before").as_string(), "");
  EXPECT_EQ(restored.at("sequence").as_int64(), 42);
}

TEST_F(TagCommandsTest, ARestoreThatChangesNothingSaysSo) {
  content_.restored.set_digest(kBefore);
  content_.restored.set_before(kBefore);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--at", "1h"}).out,
            "team/app:latest is " + kBefore + " (unchanged)\n");
}

TEST_F(TagCommandsTest, RestoresTheDigestOfTheHistoryThatStartsSo) {
  const std::string like_before = "sha256:" + std::string(12, 'a') + std::string(52, 'c');
  AddEvent("latest", kBefore, kAfter);
  AddEvent("latest", "", kBefore);
  const std::string shown = kBefore.substr(0, kBefore.find(':') + 13);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--to", shown}).status, 0);
  EXPECT_EQ(content_.restore_request.digest(), kBefore);
  EXPECT_EQ(content_.history_request.tag(), "latest");
  ExpectOneLine(Control({"tag", "restore", "team/app:latest", "--to", "sha256:" + kHex12}),
                "no digest in the history of team/app:latest starts with sha256:" + kHex12);
  ExpectOneLine(Control({"tag", "restore", "team/app:latest", "--to", shown.substr(0, 18)}),
                "at least 12 hex digits");
  AddEvent("latest", "", like_before);
  ExpectOneLine(Control({"tag", "restore", "team/app:latest", "--to", shown}),
                "several digests in the history of team/app:latest start with " + shown);
}

TEST_F(TagCommandsTest, RestoresADigestOrTheStateAtATime) {
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--to", kBefore}).status, 0);
  EXPECT_EQ(content_.restore_request.digest(), kBefore);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--at", "2026-11-27"}).status, 0);
  EXPECT_EQ(content_.restore_request.at_ms(), 1'795'737'600'000);
  ASSERT_EQ(Control({"tag", "restore", "team/app:latest", "--at", "2h"}).status, 0);
  const int64_t two_hours_ago =
      ToUnixMillis(std::chrono::system_clock::now() - std::chrono::hours(2));
  EXPECT_LE(content_.restore_request.at_ms(), two_hours_ago);
  EXPECT_GT(content_.restore_request.at_ms(), two_hours_ago - 600'000);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--at", "2h", "--to", kBefore}).status,
            2);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--at", ""}).status, 2);
  EXPECT_EQ(Control({"tag", "restore", "team/app:latest", "--to", ""}).status, 2);
}

TEST_F(TagCommandsTest, RefusesWhatIsNoTagInOneLine) {
  ExpectOneLine(Control({"tag", "restore", "team/app"}), "names no tag; write REPO:TAG");
  ExpectOneLine(Control({"tag", "history", "Team/App"}), "Team/App");
  ExpectOneLine(Control({"tag", "history", "team/app:-x"}), "-x");
  ExpectOneLine(Control({"tag", "restore", "team/app:latest", "--to", "sha256:1"}), "sha256:1");
  ExpectOneLine(Control({"tag", "restore", "team/app:latest", "--at", "soon"}),
                "--at 'soon' is not a time");
  content_.refusal = Refusal(ErrorCode::kFailedPrecondition, "its content is gone");
  ExpectOneLine(Control({"tag", "restore", "team/app:latest"}), "its content is gone");
}

TEST_F(TagCommandsTest, SetsListsAndRemovesRules) {
  const Outcome set =
      Control({"tag", "protect", "releases", "--repository", "team/**", "--tags", "v*"});
  EXPECT_EQ(set.status, 0) << set.err;
  const json::value rule = Json({"tag", "rules"}).at(0);
  EXPECT_EQ(rule.at("name").as_string(), "releases");
  EXPECT_EQ(rule.at("repositories").as_string(), "team/**");
  EXPECT_EQ(rule.at("tags").as_string(), "v*");
  EXPECT_EQ(Control({"tag", "unprotect", "releases"}).status, 0);
  EXPECT_TRUE(Json({"tag", "rules"}).as_array().empty());
  EXPECT_EQ(Control({"tag", "protect", "releases", "--tags", "v*"}).status, 2);
}

// The store says so: a list from before could lack the rule that another administrator has set.
TEST_F(TagCommandsTest, ProtectSaysWhichRuleItReplaces) {
  const std::vector<std::string> first = {"tag",    "protect", "r2", "--repository",
                                          "team/*", "--tags",  "v*"};
  EXPECT_EQ(Control(first).out, "rule 'r2': tags v* in team/* can no longer be moved or deleted\n");
  content_.rule_set.mutable_replaced()->set_name("r2");
  content_.rule_set.mutable_replaced()->set_repositories("team/x");
  content_.rule_set.mutable_replaced()->set_tags("x*");
  EXPECT_EQ(Control({"tag", "protect", "r2", "--repository", "team/app", "--tags", "w*"}).out,
            "rule 'r2': tags w* in team/app can no longer be moved or deleted\n"
            "replaced rule 'r2' of team/x: x*\n");
}

TEST_F(TagCommandsTest, ListsAndCancelsUploads) {
  v1::UploadInfo& upload = content_.uploads.emplace_back();
  upload.set_id(kUpload);
  upload.set_repository("team/app");
  upload.set_user("ci");
  upload.set_started_ms(1'000'000);
  upload.set_size_bytes(5 << 20);
  upload.set_active(true);
  const json::value shown = Json({"upload", "list"}).at(0);
  EXPECT_EQ(shown.at("id").as_string(), kUpload);
  EXPECT_EQ(shown.at("repository").as_string(), "team/app");
  EXPECT_EQ(shown.at("user").as_string(), "ci");
  EXPECT_EQ(shown.at("size_bytes").as_int64(), 5 << 20);
  EXPECT_TRUE(shown.at("active").as_bool());
  EXPECT_EQ(Control({"upload", "cancel", kUpload}).out,
            "upload '" + kUpload + "' cancelled; 5.0 MiB freed\n");
  EXPECT_TRUE(Json({"upload", "list"}).as_array().empty());
  content_.refusal = Refusal(ErrorCode::kNotFound, "there is no upload '" + kUpload + "'");
  ExpectOneLine(Control({"upload", "cancel", kUpload}), "there is no upload '" + kUpload + "'");
}

TEST_F(TagCommandsTest, TheIdOfAnUploadHas32HexDigits) {
  content_.uploads.emplace_back().set_id("6f1d2c3b4a596877");
  for (const std::string& id :
       {std::string("6f1d2c3b4a596877"), kUpload + "0", std::string(32, 'A')}) {
    ExpectOneLine(Control({"upload", "cancel", id}),
                  "'" + id +
                      "' is not the id of an upload session, which has 32 hex digits; "
                      "'outportctl upload list' lists the ids");
  }
  EXPECT_EQ(content_.uploads.size(), 1U) << "the store got no request";
}

TEST_F(TagCommandsTest, AnUploadOfAnotherProcessIsShownAndCancelledThere) {
  v1::UploadInfo& upload = content_.uploads.emplace_back();
  upload.set_id(kUpload);
  upload.set_size_bytes(5 << 20);
  upload.set_owner("0123456789abcdef");
  upload.set_owner_ended(true);
  const json::value shown = Json({"upload", "list"}).at(0);
  EXPECT_EQ(shown.at("owner").as_string(), "0123456789abcdef");
  EXPECT_TRUE(shown.at("owner_ended").as_bool());
  content_.cancelled_at = "0123456789abcdef";
  EXPECT_EQ(
      Control({"upload", "cancel", kUpload}).out,
      "upload '" + kUpload + "' cancelled; its process, 0123456789abcdef, frees 5.0 MiB soon\n");
}

TEST_F(TagCommandsTest, AnEmptyValueIsAUsageError) {
  const std::vector<std::vector<std::string>> all = {
      {"tag", "protect", "", "--repository", "**", "--tags", "v*"},
      {"tag", "protect", "releases", "--repository", "", "--tags", "v*"},
      {"tag", "protect", "releases", "--repository", "**", "--tags", ""},
      {"tag", "unprotect", ""},
      {"tag", "history", ""},
      {"tag", "restore", ""},
      {"upload", "cancel", ""}};
  for (const std::vector<std::string>& words : all) {
    const Outcome outcome = Control(words);
    EXPECT_EQ(outcome.status, 2) << words[1];
    EXPECT_NE(outcome.err.find("must not be empty"), std::string::npos) << outcome.err;
  }
}

}  // namespace
}  // namespace outport::control
