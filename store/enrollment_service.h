#pragma once

#include <string>

#include "outport/v1/enrollment.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "store/invitations.h"
#include "store/rate_limit.h"

namespace outport::store {

// How a node gets its certificates (enrollment.proto): the only service that callers without a
// certificate reach, so it is limited per address and in all. Safe for gRPC's threads.
class EnrollmentService final : public v1::Enrollment::CallbackService {
 public:
  struct Parts {
    Invitations& invitations;
    BlockingPool& pool;
    const Clock& clock;
    Metrics& metrics;
  };
  explicit EnrollmentService(const Parts& parts);
  ~EnrollmentService() override;

  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const v1::EnrollRequest* request,
                                   v1::EnrollResponse* response) override;

 private:
  Invitations& invitations_;
  BlockingPool& pool_;
  RateLimit limit_;
  prometheus::Counter& admitted_;
  prometheus::Counter& refused_;
};

}  // namespace outport::store
