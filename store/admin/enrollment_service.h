#pragma once

#include <string>

#include "outport/v1/enrollment.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "registry/base/rate_limit.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Serves the RPCs of enrollment.proto: a node gets and renews its certificates. Callers of Enroll
// have no certificate, so Enroll has a rate limit for each network and a rate limit for all
// networks together. Safe for gRPC's threads; the methods run on the pool.
class EnrollmentService final : public v1::Enrollment::CallbackService {
 public:
  struct Parts {
    Fleet& fleet;
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
    std::string domain;
  };
  explicit EnrollmentService(const Parts& parts);
  ~EnrollmentService() override;

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const v1::EnrollRequest* request,
                                   v1::EnrollResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const v1::RenewRequest* request,
                                  v1::EnrollResponse* response) override;

 private:
  Fleet& fleet_;
  BlockingPool& pool_;
  const std::string domain_;
  RateLimit limit_;     // limits Enroll by network (NetworkOf)
  RateLimit renewals_;  // limits renewals by node
  prometheus::Counter& admitted_;
  prometheus::Counter& rejected_;
};

}  // namespace outport::store
