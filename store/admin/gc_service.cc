#include "store/admin/gc_service.h"

#include <utility>

namespace outport::store {

GcService::GcService(Parts parts) : parts_(std::move(parts)) {}
GcService::~GcService() = default;

grpc::ServerUnaryReactor* GcService::GetPlan(grpc::CallbackServerContext* context,
                                             const v1::GetPlanRequest* request,
                                             v1::GetPlanResponse* response) {
  auto serve = [this, request](const Administrator&) { return parts_.collector.GetPlan(*request); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::StartRun(grpc::CallbackServerContext* context,
                                              const v1::StartRunRequest* request,
                                              v1::RunRow* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.collector.StartRun(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::GetRun(grpc::CallbackServerContext* context,
                                            const v1::GetRunRequest* request,
                                            v1::RunRow* response) {
  auto serve = [this, request](const Administrator&) { return parts_.collector.GetRun(*request); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::ListRuns(grpc::CallbackServerContext* context,
                                              const v1::ListRunsRequest* request,
                                              v1::ListRunsResponse* response) {
  auto serve = [this, request](const Administrator&) {
    return parts_.collector.ListRuns(*request);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::UndoRun(grpc::CallbackServerContext* context,
                                             const v1::UndoRunRequest* request,
                                             v1::RunRow* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.collector.UndoRun(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::GetCollector(grpc::CallbackServerContext* context,
                                                  const v1::GetCollectorRequest* /*request*/,
                                                  v1::Collector* response) {
  auto serve = [this](const Administrator&) { return parts_.collector.Get(); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::PauseCollector(grpc::CallbackServerContext* context,
                                                    const v1::PauseCollectorRequest* request,
                                                    v1::Collector* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.collector.Pause(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* GcService::ResumeCollector(grpc::CallbackServerContext* context,
                                                     const v1::ResumeCollectorRequest* request,
                                                     v1::Collector* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.collector.Resume(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

}  // namespace outport::store
