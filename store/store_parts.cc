#include "store/store_parts.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "store/freshness_policy.h"
#include "store/replication/pull_reports.h"

namespace outport::store {

StoreParts::StoreParts(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f,
                       OpenedStore o, std::string v)
    : config(c), log(l), version(std::move(v)), files(std::move(f)), opened(std::move(o)) {}

FleetServer::Parts StoreParts::FleetServerParts() {
  const StoreIdentity& identity = opened.identity;
  const AdminGate gate{.domain = identity.domain, .directory = directory, .pool = admin_pool};
  return {.replication = {.meta = *opened.meta,
                          .content = content,
                          .directory = directory,
                          .members = fleet.member_directory,
                          .blobs = read_blob,
                          .pool = fleet_pool,
                          .tasks = tasks,
                          .nodes = fleet.connected_nodes,
                          .clock = clock,
                          .store_clock = store_clock,
                          .metrics = metrics,
                          .log = log,
                          .identity = identity,
                          .policy = FreshnessPolicyOf(config),
                          .access = &fleet.follower},
          .push = {.members = fleet.member_directory,
                   .registry = registry,
                   .directory = directory,
                   .authenticator = authenticator,
                   .clock = clock,
                   .tasks = tasks,
                   .metrics = metrics,
                   .log = log,
                   .identity = identity},
          .admin = {.gate = gate,
                    .fleet = fleet,
                    .meta = *opened.meta,
                    .files = *files,
                    .epoch = identity.epoch,
                    .version = version,
                    .data = config.data,
                    .started_ms = ToUnixMillis(clock.Wall()),
                    .change_log = [this] { return log_trimmer.Describe(); },
                    .warnings = [this] { return Warnings(); }},
          .access = {.gate = gate, .fleet = fleet, .clock = clock},
          .enrollment = {.fleet = fleet,
                         .pool = fleet_pool,
                         .clock = clock,
                         .metrics = metrics,
                         .domain = identity.domain},
          .audit = {.gate = gate, .meta = *opened.meta},
          .authority = {.gate = gate, .rotation = rotation},
          .content = {.gate = gate, .content = content, .uploads = uploads, .tasks = tasks},
          .gc = {.gate = gate, .collector = collector},
          .retention = {.gate = gate, .retention = retention},
          .limits = LimitsFor(config.nodes.identity_certificate_lifetime)};
}

std::optional<std::chrono::system_clock::time_point> StoreParts::StoreTimeInDoubt() const {
  if (!store_clock.Warning().has_value()) return std::nullopt;
  return FromUnixMillis(store_clock.NowMs());
}

std::vector<std::string> StoreParts::Warnings() const {
  Readiness readiness = Ready();
  std::ranges::move(readiness.warnings, std::back_inserter(readiness.reasons));
  return std::move(readiness.reasons);
}

Result<std::vector<std::string>> StoreParts::NodesWithoutReport() const {
  const std::chrono::milliseconds within = kReportedWithin;
  return store::NodesWithoutReport(*opened.meta, store_clock.NowMs() - within.count());
}

Readiness StoreParts::Ready() const {
  Readiness readiness;
  if (stopping) readiness.reasons.push_back("the store is stopping");
  if (const std::optional<Error> why = opened.meta->WhyReadOnly()) {
    readiness.reasons.push_back("pushes are rejected: " + why->message);
  }
  if (auto warning = store_clock.Warning()) readiness.warnings.push_back(*std::move(warning));
  for (std::string& warning : collector.Warnings()) {
    readiness.warnings.push_back(std::move(warning));
  }
  std::ranges::move(retention.Warnings(), std::back_inserter(readiness.warnings));
  if (auto warning = disk_watch.Warning()) readiness.warnings.push_back(*std::move(warning));
  if (auto pending = fleet.follower.pending().Warning()) {
    readiness.warnings.push_back(*std::move(pending));
  }
  fleet_certificate.Report(readiness);
  if (auto warning = htpasswd_users.Warning()) readiness.warnings.push_back(*std::move(warning));
  front.AddTo(readiness);
  return readiness;
}

}  // namespace outport::store
