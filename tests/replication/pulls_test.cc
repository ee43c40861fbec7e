#include <gmock/gmock.h>
#include <grpcpp/client_context.h>

#include "registry/records/rows.h"
#include "store/replication/pull_reports.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

using testing::ElementsAre;

// The pulls of a node's clients, and the rows at the store.
class PullReportTest : public FleetTest {
 protected:
  PullReportTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->PublishTag(kApp, "latest", image_.digest);
  }

  std::optional<v1::PullRow> Row(const std::string& repository, const std::string& reference) {
    return *ReadRow<v1::PullRow>(store_->meta(),
                                 keys::Pull(*RepositoryName::Parse(repository), reference));
  }
  bool HasRow(const std::string& reference) { return Row(kApp, reference).has_value(); }
  int64_t NowMs() const { return ToUnixMillis(std::chrono::system_clock::now()); }
  std::vector<std::string> WithoutReport() {
    return *store::NodesWithoutReport(store_->meta(), NowMs() - 60'000);
  }

  // Calls the store as the node.
  grpc::Status Report(const v1::ReportPullsRequest& request, v1::ReportPullsResponse& response) {
    const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity_, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + 20s);
    return stub->ReportPulls(&context, request, &response);
  }
  static void AddPull(v1::ReportPullsRequest& request, const std::string& repository,
                      const std::string& reference, int64_t age_ms) {
    v1::ReportPullsRequest::Pull& pull = *request.add_pulls();
    pull.set_repository(repository);
    pull.set_reference(reference);
    pull.set_age_ms(age_ms);
  }

  TestStore::Image image_{DigestOf(""), {}};
};

TEST_F(PullReportTest, APullAtANodeReachesTheStore) {
  const auto node = JoinNode();
  node->StartReports();
  const int64_t before_ms = NowMs();
  ASSERT_TRUE(node->Get(kApp, "latest"));
  ASSERT_TRUE(Eventually([&] { return HasRow("latest") && HasRow(image_.digest.ToString()); }));
  const auto row = Row(kApp, "latest");
  EXPECT_EQ(row->node(), "eu-west");
  EXPECT_NEAR(static_cast<double>(row->last_ms()), static_cast<double>(before_ms), 60'000);
  // The store has acknowledged the rows.
  EXPECT_TRUE(Eventually(
      [&] { return node->meta().Scan({.prefix = std::string(keys::kPulled)})->empty(); }));
  EXPECT_EQ(node->Count("outport_node_pulls_reported_total"), 2);
}

TEST_F(PullReportTest, PullsWithoutAPlaceAreCounted) {
  const auto node = JoinNode();
  const size_t most = PullRecorder::Limits().in_repository;
  for (size_t i = 0; i < most + 5; ++i) {
    const Digest digest = DigestOf(std::to_string(i));
    node->pulls().Record(*RepositoryName::Parse(kApp), digest, digest);
  }
  EXPECT_EQ(node->Count("outport_node_pulls_dropped_total"), 0);
  node->StartReports();
  EXPECT_TRUE(Eventually([&] { return node->Count("outport_node_pulls_dropped_total") > 0; }));
  EXPECT_EQ(node->Count("outport_node_pulls_dropped_total"), 5);
}

TEST_F(PullReportTest, AHeadAndABlobAreNoPulls) {
  const auto node = JoinNode();
  ASSERT_TRUE(node->Stat(kApp, "latest"));
  ASSERT_TRUE(node->ReadBlob(kApp, image_.blobs.front()));
  node->StartReports();
  ASSERT_TRUE(Eventually([&] { return WithoutReport().empty(); }));
  EXPECT_FALSE(HasRow("latest"));
  EXPECT_FALSE(HasRow(image_.digest.ToString()));
}

TEST_F(PullReportTest, PullsWhileTheStoreIsUnreachableSurviveARestart) {
  auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  store_->Stop();
  ASSERT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  node->StartReports();
  ASSERT_TRUE(node->Get(kApp, "latest"));
  node.reset();
  EXPECT_FALSE(HasRow("latest"));
  store_->Start();
  node = JoinNode();
  node->StartReports();
  EXPECT_TRUE(Eventually([&] { return HasRow("latest"); }));
}

TEST_F(PullReportTest, TheStoreKnowsWhichNodesHaveReported) {
  store_->AddNode("ap-south");
  EXPECT_THAT(WithoutReport(), ElementsAre("ap-south", "eu-west"));
  const auto node = JoinNode();
  node->StartReports();
  EXPECT_TRUE(Eventually([&] { return WithoutReport() == std::vector<std::string>{"ap-south"}; }))
      << "a node without pulls reports, too";
  EXPECT_THAT(*store::NodesWithoutReport(store_->meta(), NowMs() + 60'000),
              ElementsAre("ap-south", "eu-west"));
}

TEST_F(PullReportTest, AReportCannotSpeakForWhatTheNodeMayNotPull) {
  store_->AddNode("eu-west", {"pull:library/*"});
  store_->PublishRepository("team/app");
  const TestStore::Image secret = store_->PublishImage("team/app", "secret");
  v1::ReportPullsRequest request;
  AddPull(request, "team/app", secret.digest.ToString(), 0);
  AddPull(request, kApp, "absent", 0);
  AddPull(request, "NOT A NAME", "latest", 0);
  AddPull(request, kApp, "latest", 3'600'000);
  v1::ReportPullsResponse response;
  const grpc::Status status = Report(request, response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.dropped(), 3U);
  EXPECT_FALSE(Row("team/app", secret.digest.ToString()).has_value());
  EXPECT_FALSE(HasRow("absent"));
  ASSERT_TRUE(HasRow("latest"));
  EXPECT_NEAR(static_cast<double>(Row(kApp, "latest")->last_ms()),
              static_cast<double>(NowMs() - 3'600'000), 60'000);
  EXPECT_THAT(WithoutReport(), ElementsAre("eu-west")) << "the report was not complete";
}

TEST_F(PullReportTest, TimesAreNeverInTheFutureAndReportsAreBounded) {
  v1::ReportPullsRequest request;
  AddPull(request, kApp, "latest", -3'600'000);
  v1::ReportPullsResponse response;
  ASSERT_TRUE(Report(request, response).ok());
  EXPECT_LE(Row(kApp, "latest")->last_ms(), NowMs() + 1000);
  for (int i = 0; i < store::kMaxReportedPulls; ++i) AddPull(request, kApp, "latest", 0);
  EXPECT_EQ(Report(request, response).error_code(), grpc::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace outport
