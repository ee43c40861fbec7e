#include "store/admin/enrollment_service.h"

#include "registry/base/address.h"
#include "registry/rpc/channel.h"
#include "registry/rpc/unary.h"
#include "store/fleet/peer_address.h"

namespace outport::store {
namespace {

constexpr size_t kMaxSecretBytes = 256;

// The limit of Enroll lets a node try a few times. An attacker cannot guess the 256 random bits of
// a secret, but each attempt causes work, so the limit bounds the attempts.
constexpr RateLimit::Options kLimits = {
    .each = {.burst = 10, .per_second = 0.2}, .all = {.burst = 50, .per_second = 5}, .keys = 1024};

// The limit of Renew. Only nodes with a certificate of the fleet reach it.
constexpr RateLimit::Options kRenewalLimits = {.each = {.burst = 10, .per_second = 0.2},
                                               .all = {.burst = 1000, .per_second = 100},
                                               .keys = 10'000};

Error TooMany() {
  return Error{ErrorCode::kTooManyRequests,
               "too many requests for certificates; wait a minute and try again"};
}

}  // namespace

EnrollmentService::EnrollmentService(const Parts& parts)
    : fleet_(parts.fleet),
      pool_(parts.pool),
      domain_(parts.domain),
      limit_(parts.clock, kLimits),
      renewals_(parts.clock, kRenewalLimits),
      admitted_(parts.metrics.Counter("outport_store_enrollment_attempts_total",
                                      "Attempts of nodes to join the fleet, by result.",
                                      {{"result", "processed"}})),
      rejected_(parts.metrics.Counter("outport_store_enrollment_attempts_total",
                                      "Attempts of nodes to join the fleet, by result.",
                                      {{"result", "rate_limited"}})) {}
EnrollmentService::~EnrollmentService() = default;

grpc::ServerUnaryReactor* EnrollmentService::Enroll(grpc::CallbackServerContext* context,
                                                    const v1::EnrollRequest* request,
                                                    v1::EnrollResponse* response) {
  // Leave out the port: with it, each new connection would get a new bucket of the rate limit.
  const std::string from = AddressOfPeer(context->peer());
  const bool admitted = limit_.Admit(NetworkOf(from));
  (admitted ? admitted_ : rejected_).Increment();
  if (!admitted) return rpc::Reject(context, TooMany());
  auto serve = [this, request, from]() -> Result<v1::EnrollResponse> {
    if (request->secret().size() > kMaxSecretBytes) {
      return Error{ErrorCode::kInvalidArgument, "the invitation's secret is too long"};
    }
    return fleet_.invitations.Enroll(*request, from);
  };
  return rpc::ServeBlocking(context, pool_, response, std::move(serve));
}

grpc::ServerUnaryReactor* EnrollmentService::Renew(grpc::CallbackServerContext* context,
                                                   const v1::RenewRequest* request,
                                                   v1::EnrollResponse* response) {
  const auto caller = rpc::RequireRole(*context, domain_, Role::kNode, fleet_.follower.directory());
  if (!caller.has_value()) return rpc::Reject(context, caller.error());
  const std::string from = AddressOfPeer(context->peer());
  // Each renewal adds rows to the metadata, so the limit rejects a node that renews all the time.
  if (!renewals_.Admit(caller->name)) return rpc::Reject(context, TooMany());
  auto serve = [this, request, node = caller->name, from] {
    return fleet_.members.Renew(node, *request, from);
  };
  return rpc::ServeBlocking(context, pool_, response, std::move(serve));
}

}  // namespace outport::store
