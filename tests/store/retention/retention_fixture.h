#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "registry/service/pull_recorder.h"
#include "store/content/pulls.h"
#include "store/retention/retention.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {

// Keeps the tag of each repository of ci/ that was pushed last.
inline constexpr const char* kLastOne =
    "policies:\n"
    "  - name: ci\n"
    "    repositories: [\"ci/*\"]\n"
    "    keep:\n"
    "      - {tags: \".*\", last_pushed: 1}\n";

// Retention over a store's content, with a collector whose steps the test runs.
class RetentionTest : public CollectorTest {
 protected:
  RetentionTest() : retention_(MakeParts()) { static_cast<void>(collector->Step()); }

  Retention::Parts MakeParts() {
    return {.meta = *store.meta,
            .clock = store.clock,
            .store_clock = store.store_clock,
            .times = store.times,
            .collector = **collector,
            .log = Log::Nowhere(),
            .nodes_without_report = [this] { return missing_; }};
  }
  // Returns a retention of its own, whose collector writes the pulls of its process in this way.
  Retention WithFlush(std::function<Result<void>()> flush) {
    collector = std::make_unique<TestCollector>(
        store, Collector::Limits(), TestCollector::Devices{.flush_pulls = std::move(flush)});
    static_cast<void>(collector->Step());
    return Retention(MakeParts());
  }
  void Apply(const std::string& yaml) {
    v1::ApplyPoliciesRequest request;
    request.set_yaml(yaml);
    const auto applied = retention_.Apply(request, kAdministrator);
    ASSERT_TRUE(applied.has_value()) << applied.error().message;
  }
  // Pushes images of their own, an hour apart.
  void Push(const std::string& repository, const std::vector<std::string>& tags) {
    for (const std::string& tag : tags) {
      store.clock.Advance(std::chrono::hours(1));
      ASSERT_TRUE(store.PushImage(repository, tag, {"layer of " + repository + tag}).has_value());
    }
  }
  void Pull(const std::string& repository, const std::string& tag) {
    const outport::Pull pull{.repository = RepositoryName::Parse(repository).value(),
                             .reference = ParseReference(tag).value(),
                             .time_ms = store.store_clock.NowMs()};
    const auto written =
        WritePulls(*store.meta, {pull}, "", MetaTransaction::Durability::kBuffered);
    ASSERT_TRUE(written.has_value());
  }
  v1::RetentionPlan Plan(const v1::GetRetentionPlanRequest& request = {}) {
    auto plan = retention_.GetPlan(request);
    EXPECT_TRUE(plan.has_value()) << plan.error().message;
    return plan.has_value() ? *std::move(plan) : v1::RetentionPlan();
  }
  static std::vector<std::string> Texts(const v1::RetentionPlan& plan) {
    std::vector<std::string> texts;
    for (const v1::RetentionItem& item : plan.items()) {
      texts.push_back((item.keep() ? "keep " : "drop ") + PlaceOf(item) + " by " + item.policy() +
                      ": " + item.rule());
    }
    return texts;
  }
  Result<v1::RunRow> Start(const std::string& plan = "") {
    collector->Step();  // renews the lease
    v1::StartRetentionRequest request;
    request.set_plan(plan);
    return retention_.StartRun(request, kAdministrator);
  }
  v1::RunRow Run(const std::string& plan = "") {
    const auto started = Start(plan);
    if (started.has_value()) EXPECT_EQ(started->kind(), v1::RUN_KIND_RETENTION);
    return collector->Finish(started);
  }

  std::vector<std::string> missing_;
  Retention retention_;
};

}  // namespace outport::store
