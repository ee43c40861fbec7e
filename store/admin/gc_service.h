#pragma once

#include "outport/v1/gc.grpc.pb.h"
#include "store/admin/admin_gate.h"
#include "store/gc/collector.h"

namespace outport::store {

// Serves the RPCs of gc.proto: administrators plan, start, follow and undo the runs of the garbage
// collector, and pause it. AdminGate admits the callers and runs the methods on its pool. Safe for
// gRPC's threads.
class GcService final : public v1::Gc::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Collector& collector;
  };
  explicit GcService(Parts parts);
  ~GcService() override;

  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetPlanRequest* request,
                                    v1::GetPlanResponse* response) override;
  grpc::ServerUnaryReactor* StartRun(grpc::CallbackServerContext* context,
                                     const v1::StartRunRequest* request,
                                     v1::RunRow* response) override;
  grpc::ServerUnaryReactor* GetRun(grpc::CallbackServerContext* context,
                                   const v1::GetRunRequest* request, v1::RunRow* response) override;
  grpc::ServerUnaryReactor* ListRuns(grpc::CallbackServerContext* context,
                                     const v1::ListRunsRequest* request,
                                     v1::ListRunsResponse* response) override;
  grpc::ServerUnaryReactor* UndoRun(grpc::CallbackServerContext* context,
                                    const v1::UndoRunRequest* request,
                                    v1::RunRow* response) override;
  grpc::ServerUnaryReactor* GetCollector(grpc::CallbackServerContext* context,
                                         const v1::GetCollectorRequest* request,
                                         v1::Collector* response) override;
  grpc::ServerUnaryReactor* PauseCollector(grpc::CallbackServerContext* context,
                                           const v1::PauseCollectorRequest* request,
                                           v1::Collector* response) override;
  grpc::ServerUnaryReactor* ResumeCollector(grpc::CallbackServerContext* context,
                                            const v1::ResumeCollectorRequest* request,
                                            v1::Collector* response) override;

 private:
  const Parts parts_;
};

}  // namespace outport::store
