#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <vector>

#include "outport/v1/content.grpc.pb.h"
#include "outport/v1/gc.grpc.pb.h"
#include "outport/v1/retention.grpc.pb.h"
#include "registry/base/mutex.h"
#include "registry/rpc/status.h"
#include "tests/control/program_fixture.h"

namespace outport::control {

// The store's services for garbage collection, tags and uploads, with answers that a test sets.
// They record what outportctl asks for. A test sets and reads the fields while no call is in
// progress.
struct FakeGc final : v1::Gc::Service {
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request,
                       v1::GetPlanResponse* response) override {
    const MutexLock lock(mutex_);
    plan_requests.push_back(*request);
    *response = plan;
    response->clear_items();
    const int end =
        std::min(plan.items_size(), static_cast<int>(request->offset() + request->limit()));
    for (int i = static_cast<int>(request->offset()); i < end; ++i) {
      *response->add_items() = plan.items(i);
    }
    return refusal;
  }
  grpc::Status StartRun(grpc::ServerContext*, const v1::StartRunRequest* request,
                        v1::RunRow* response) override {
    const MutexLock lock(mutex_);
    start_request = *request;
    return Next(response);
  }
  grpc::Status UndoRun(grpc::ServerContext*, const v1::UndoRunRequest* request,
                       v1::RunRow* response) override {
    const MutexLock lock(mutex_);
    undone = request->id();
    return Next(response);
  }
  grpc::Status GetRun(grpc::ServerContext*, const v1::GetRunRequest*,
                      v1::RunRow* response) override {
    const MutexLock lock(mutex_);
    if (interrupt != 0) ::pthread_kill(caller, interrupt);
    return Next(response);
  }
  grpc::Status ListRuns(grpc::ServerContext*, const v1::ListRunsRequest* request,
                        v1::ListRunsResponse* response) override {
    const MutexLock lock(mutex_);
    for (const v1::RunRow& run : runs) {
      if (!request->before().empty() && run.id() >= request->before()) continue;
      if (response->runs_size() == static_cast<int>(std::min(request->limit(), 2u))) {
        response->set_next(response->runs().rbegin()->id());
        break;
      }
      *response->add_runs() = run;
    }
    return refusal;
  }
  grpc::Status GetCollector(grpc::ServerContext*, const v1::GetCollectorRequest*,
                            v1::Collector* response) override {
    const MutexLock lock(mutex_);
    *response = collector;
    return grpc::Status::OK;
  }
  grpc::Status PauseCollector(grpc::ServerContext*, const v1::PauseCollectorRequest* request,
                              v1::Collector* response) override {
    const MutexLock lock(mutex_);
    collector.set_paused(true);
    collector.set_paused_why(request->why());
    *response = collector;
    return refusal;
  }
  grpc::Status ResumeCollector(grpc::ServerContext*, const v1::ResumeCollectorRequest* request,
                               v1::Collector* response) override {
    const MutexLock lock(mutex_);
    collector.set_paused(false);
    if (request->accept_clock()) collector.set_clock_jump_ms(0);
    *response = collector;
    return refusal;
  }

  v1::GetPlanResponse plan;          // with all items
  std::vector<v1::RunRow> progress;  // the answers of StartRun or UndoRun, then of each GetRun
  std::vector<v1::RunRow> runs;      // newest first
  v1::Collector collector;
  grpc::Status refusal = grpc::Status::OK;  // of every call but GetCollector
  int interrupt = 0;                        // a signal for `caller` at each GetRun
  pthread_t caller = ::pthread_self();

  std::vector<v1::GetPlanRequest> plan_requests;
  v1::StartRunRequest start_request;
  std::string undone;

 private:
  // The last element of `progress` is repeated.
  grpc::Status Next(v1::RunRow* response) {
    if (!refusal.ok()) return refusal;
    if (progress.empty()) return {grpc::StatusCode::INTERNAL, "the test set no answer"};
    *response = progress.front();
    if (progress.size() > 1) progress.erase(progress.begin());
    return grpc::Status::OK;
  }

  Mutex mutex_;
};

struct FakeContent final : v1::Content::Service {
  grpc::Status ListTagHistory(grpc::ServerContext*, const v1::ListTagHistoryRequest* request,
                              v1::ListTagHistoryResponse* response) override {
    const MutexLock lock(mutex_);
    history_request = *request;
    const size_t first = request->after().empty() ? 0 : std::stoul(request->after());
    const size_t end = std::min<size_t>(events.size(), first + std::min(request->limit(), 2u));
    for (size_t i = first; i < end; ++i) *response->add_events() = events[i];
    if (end < events.size()) response->set_next(std::to_string(end));
    return refusal;
  }
  grpc::Status RestoreTag(grpc::ServerContext*, const v1::RestoreTagRequest* request,
                          v1::RestoreTagResponse* response) override {
    const MutexLock lock(mutex_);
    restore_request = *request;
    *response = restored;
    return refusal;
  }
  grpc::Status SetTagRule(grpc::ServerContext*, const v1::SetTagRuleRequest* request,
                          v1::SetTagRuleResponse* response) override {
    const MutexLock lock(mutex_);
    *response = rule_set;
    rules.push_back(request->rule());
    return refusal;
  }
  grpc::Status RemoveTagRule(grpc::ServerContext*, const v1::RemoveTagRuleRequest* request,
                             v1::RemoveTagRuleResponse*) override {
    const MutexLock lock(mutex_);
    std::erase_if(rules,
                  [&](const v1::TagRuleRow& rule) { return rule.name() == request->name(); });
    return refusal;
  }
  grpc::Status ListTagRules(grpc::ServerContext*, const v1::ListTagRulesRequest*,
                            v1::ListTagRulesResponse* response) override {
    const MutexLock lock(mutex_);
    for (const v1::TagRuleRow& rule : rules) *response->add_rules() = rule;
    return refusal;
  }
  grpc::Status ListUploads(grpc::ServerContext*, const v1::ListUploadsRequest*,
                           v1::ListUploadsResponse* response) override {
    const MutexLock lock(mutex_);
    for (const v1::UploadInfo& upload : uploads) *response->add_uploads() = upload;
    return refusal;
  }
  grpc::Status CancelUpload(grpc::ServerContext*, const v1::AdminCancelUploadRequest* request,
                            v1::AdminCancelUploadResponse* response) override {
    const MutexLock lock(mutex_);
    for (const v1::UploadInfo& upload : uploads) {
      if (upload.id() == request->id()) response->set_size_bytes(upload.size_bytes());
    }
    response->set_owner(cancelled_at);
    std::erase_if(uploads,
                  [&](const v1::UploadInfo& upload) { return upload.id() == request->id(); });
    return refusal;
  }

  std::vector<v1::TagEvent> events;  // newest first
  v1::RestoreTagResponse restored;
  v1::SetTagRuleResponse rule_set;
  std::vector<v1::TagRuleRow> rules;
  std::vector<v1::UploadInfo> uploads;
  std::string cancelled_at;  // the process that frees the bytes of a cancelled upload
  grpc::Status refusal = grpc::Status::OK;  // of every call

  v1::ListTagHistoryRequest history_request;
  v1::RestoreTagRequest restore_request;

 private:
  Mutex mutex_;
};

struct FakeRetention final : v1::Retention::Service {
  grpc::Status ApplyPolicies(grpc::ServerContext*, const v1::ApplyPoliciesRequest* request,
                             v1::AppliedPolicies* response) override {
    const MutexLock lock(mutex_);
    apply_request = *request;
    applied.set_yaml(request->yaml());
    *response = applied;
    return refusal;
  }
  grpc::Status GetPolicies(grpc::ServerContext*, const v1::GetPoliciesRequest*,
                           v1::AppliedPolicies* response) override {
    const MutexLock lock(mutex_);
    *response = applied;
    return refusal;
  }
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetRetentionPlanRequest* request,
                       v1::RetentionPlan* response) override {
    const MutexLock lock(mutex_);
    plan_requests.push_back(*request);
    *response = plan;
    response->clear_items();
    const int first = request->after().empty() ? 0 : std::stoi(request->after());
    const int end =
        std::min(plan.items_size(), first + std::min(2, static_cast<int>(request->limit())));
    for (int i = first; i < end; ++i) *response->add_items() = plan.items(i);
    if (end < plan.items_size()) response->set_next(std::to_string(end));
    return refusal;
  }
  grpc::Status StartRun(grpc::ServerContext*, const v1::StartRetentionRequest* request,
                        v1::RunRow* response) override {
    const MutexLock lock(mutex_);
    start_request = *request;
    *response = started;
    return refusal;
  }

  v1::AppliedPolicies applied;
  v1::RetentionPlan plan;  // with all items
  v1::RunRow started;
  grpc::Status refusal = grpc::Status::OK;  // of every call

  v1::ApplyPoliciesRequest apply_request;
  std::vector<v1::GetRetentionPlanRequest> plan_requests;
  v1::StartRetentionRequest start_request;

 private:
  Mutex mutex_;
};

struct FakeServices {
  FakeGc gc_;
  FakeContent content_;
  FakeRetention retention_;
};

// Runs outportctl against a store with the fake services.
class ContentProgramTest : public FakeServices, public ProgramTest {
 protected:
  ContentProgramTest() : ProgramTest({&gc_, &content_, &retention_}) {}

  static grpc::Status Refusal(ErrorCode code, const std::string& message) {
    return rpc::ToStatus(Error{code, message});
  }
};

}  // namespace outport::control
