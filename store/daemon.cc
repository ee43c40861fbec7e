#include "store/daemon.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "registry/base/io_threads.h"
#include "registry/base/repeat.h"
#include "registry/base/settings.h"
#include "registry/base/task_group.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "store/access/htpasswd_users.h"
#include "store/audit/audit_file.h"
#include "store/authority/fleet_files.h"
#include "store/configured_times.h"
#include "store/content/pull_flush.h"
#include "store/content/tag_history_sweep.h"
#include "store/fleet_certificate.h"
#include "store/fleet_server.h"
#include "store/freshness_policy.h"
#include "store/gc/collector.h"
#include "store/open_store.h"
#include "store/replication/log_trimmer.h"
#include "store/replication/pull_reports.h"
#include "store/retention/retention.h"
#include "store/store_gauges.h"
#include "store/store_registry.h"
#include "store/uploads/orphaned_work.h"
#include "store/work/heartbeat.h"

namespace outport::store {
namespace {

constexpr size_t kDiskThreads = 8;
constexpr size_t kFleetThreads = 6;
constexpr size_t kAdminThreads = 2;  // so that administrators never occupy the threads of nodes
constexpr size_t kWorkQueue = 4096;
constexpr size_t kPasswordQueue = 256;
constexpr std::chrono::seconds kDrain{20};
constexpr std::chrono::seconds kLastWait{5};
constexpr std::chrono::minutes kCertificatePeriod{10};
constexpr std::chrono::hours kForgetPeriod{24};

// The order matters: a member may refer only to members above it, because these outlive it.
struct StoreDaemon final : Daemon {
  StoreDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, OpenedStore o,
              std::string v)
      : config(c), log(l), version(std::move(v)), files(std::move(f)), opened(std::move(o)) {}

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  Readiness Ready() const;
  std::vector<std::string> Warnings() const;
  Result<std::vector<std::string>> NodesWithoutReport() const;
  FleetServer::Parts FleetServerParts();

  const Config config;
  const Log log;
  const std::string version;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock{};
  StoreClock store_clock{clock};
  Metrics metrics;
  OpenedStore opened;

  IoThreads io{log};
  BlockingPool disk{"disk", kDiskThreads, kWorkQueue, log};
  BlockingPool fleet_pool{"fleet", kFleetThreads, kWorkQueue, log};
  BlockingPool admin_pool{"admin", kAdminThreads, kWorkQueue, log};
  BlockingPool passwords{"bcrypt", IoThreads::Cores(), kPasswordQueue, log};
  TaskGroup tasks{io.executor(), log};

  Owner owner{*opened.meta, store_clock, Owner::Access::kExclusive};
  Heartbeat heartbeat{
      {.meta = *opened.meta, .clock = store_clock, .owner = owner, .pool = disk, .log = log}};
  AccessDirectory directory;
  Fleet fleet{{.meta = *opened.meta,
               .directory = directory,
               .clock = clock,
               .log = log,
               .authority = opened.authority.authority,
               .fleet_address = config.fleet_address,
               .lifetimes = LifetimesOf(config)}};
  Authenticator authenticator{directory, passwords, clock, metrics, {}};
  SpaceDemand space_demand{clock};
  Content content{{.meta = *opened.meta,
                   .bytes = *opened.blobs,
                   .clock = clock,
                   .store_clock = store_clock,
                   .owner = owner,
                   .times = CollectionTimesOf(config),
                   .metrics = metrics,
                   .log = log,
                   .headroom_bytes = config.headroom_bytes,
                   .demand = &space_demand}};
  Uploads uploads{{.meta = *opened.meta,
                   .bytes = *opened.blobs,
                   .blobs = content.blobs,
                   .disk = disk,
                   .clock = clock,
                   .store_clock = store_clock,
                   .owner = owner,
                   .metrics = metrics,
                   .log = log,
                   .boot_id = BootId(),
                   .limits = {.sessions = {.sessions = config.max_upload_sessions,
                                           .idle = std::chrono::duration_cast<std::chrono::seconds>(
                                               config.upload_idle_timeout)}}}};
  OrphanedWork orphaned_work{content.blobs, uploads, disk};
  PullRecorder pulls{[this] { return store_clock.NowMs(); }};
  LargeWrites large_writes{metrics, {}};
  StoreRegistry registry{{.content = content,
                          .uploads = uploads,
                          .disk = disk,
                          .large_writes = large_writes,
                          .pulls = pulls,
                          .metrics = metrics,
                          .log = log}};
  PullFlush pull_flush{
      {.pulls = pulls, .meta = *opened.meta, .pool = disk, .metrics = metrics, .log = log}};
  TagHistorySweep tag_history_sweep{{.meta = *opened.meta,
                                     .clock = store_clock,
                                     .pool = disk,
                                     .log = log,
                                     .owner = owner.id(),
                                     .keep = config.tag_history}};
  Collector collector{{.meta = *opened.meta,
                       .bytes = *opened.blobs,
                       .clock = clock,
                       .store_clock = store_clock,
                       .owner = owner,
                       .times = CollectionTimesOf(config),
                       .metrics = metrics,
                       .log = log,
                       .limits = {.window = config.gc.window,
                                  .max_rate = static_cast<uint64_t>(config.gc.max_rate),
                                  .free_at_once_below = config.gc.free_at_once_below,
                                  .headroom_bytes = config.headroom_bytes,
                                  .interval = CollectionInterval(config)},
                       .demand = &space_demand,
                       .flush_pulls = [this] { return pull_flush.Flush(); },
                       .nodes_without_report = [this] { return NodesWithoutReport(); }}};
  Retention retention{{.meta = *opened.meta,
                       .clock = clock,
                       .store_clock = store_clock,
                       .times = CollectionTimesOf(config),
                       .collector = collector,
                       .log = log,
                       .nodes_without_report = [this] { return NodesWithoutReport(); }}};
  StoreGauges gauges{*opened.meta, *opened.blobs, disk, metrics};
  AuditFile audit_file{{.meta = *opened.meta,
                        .files = *files,
                        .pool = disk,
                        .metrics = metrics,
                        .log = log,
                        .clock = store_clock,
                        .owner = owner,
                        .path = config.AuditFile(),
                        .max_size_bytes = config.audit.max_size_bytes,
                        .max_files = config.audit.max_files,
                        .max_entries = static_cast<uint64_t>(config.audit.max_entries),
                        .syslog = config.audit.syslog ? kSyslogSocket : ""}};
  HtpasswdUsers htpasswd_users{{.users = fleet.users,
                                .pool = disk,
                                .metrics = metrics,
                                .log = log,
                                .file = config.access.htpasswd_file,
                                .group = config.access.htpasswd_group}};
  Rotation rotation{{.meta = *opened.meta,
                     .authorities = fleet.authorities,
                     .follower = fleet.follower,
                     .nodes = fleet.connected_nodes,
                     .files = *files,
                     .clock = clock,
                     .log = log,
                     .pki = config.PkiFolder(),
                     .domain = opened.identity.domain}};
  FleetCertificate fleet_certificate{{.rotation = rotation,
                                      .clock = clock,
                                      .log = log,
                                      .pki = config.PkiFolder(),
                                      .chain = opened.authority.server_chain}};
  LogTrimmer log_trimmer{{.meta = *opened.meta,
                          .nodes = fleet.connected_nodes,
                          .clock = store_clock,
                          .pool = disk,
                          .metrics = metrics,
                          .log = log,
                          .owner = owner.id(),
                          .bounds = {.max_age = config.changes.max_age,
                                     .max_size_bytes = config.changes.max_size_bytes}}};
  ReadBlob read_blob{content.blobs, fleet_pool, tasks, metrics, log};
  FleetServer fleet_server{FleetServerParts()};
  RegistryFront front{config.registry,
                      RegistryCertificateFiles(config),
                      std::move(opened.certificate),
                      {.server = {.executor = io.executor(),
                                  .tls = nullptr,
                                  .registry = registry,
                                  .directory = directory,
                                  .authenticator = authenticator,
                                  .clock = clock,
                                  .metrics = metrics,
                                  .log = log},
                       .pool = disk}};
  OperationsServer operations{io.executor(), config.operations_listen, metrics,
                              [this] { return Ready(); }, log};
  std::atomic<bool> stopping = false;
};

FleetServer::Parts StoreDaemon::FleetServerParts() {
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
                          .policy = FreshnessPolicyOf(config)},
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

Result<void> StoreDaemon::Start() {
  TRY_VOID(heartbeat.Start());
  TRY(const size_t settled, content.blobs.SettleIntents());
  TRY_VOID(uploads.Load());
  TRY_VOID(fleet.Load());
  TRY_VOID(rotation.Recover());
  if (const Result<void> opens = audit_file.Open(); !opens.has_value()) {
    return Error(opens.error()).Within("audit.file");
  }
  if (const Result<void> follows = htpasswd_users.Follow(); !follows.has_value()) {
    return Error(follows.error()).Within("access.htpasswd_file");
  }
  TRY_VOID(front.Listen());
  TRY_VOID(NameKeyInError(operations.Listen(), "operations.listen"));
  const rpc::TlsFiles shown{.certificate_chain = config.PkiFolder() / "server.crt",
                            .private_key = config.PkiFolder() / "server.key",
                            .authorities = config.PkiFolder() / kTrustBundleFile};
  TRY_VOID(NameKeyInError(fleet_server.Start(config.fleet_listen, shown), "fleet.listen"));
  // This is the last step that can fail, so a failed start records no policy.
  TRY_VOID(RecordPolicy(*opened.meta, PolicyOf(config), clock));
  log.Info("listening", {{"registry", front.address()},
                         {"http", front.plain_address()},
                         {"fleet", fleet_server.address()},
                         {"operations", operations.address()},
                         {"data", config.data.native()},
                         {"owner", owner.id()}});
  if (settled > 0) log.Info("unfinished commits undone", {{"count", settled}});
  for (const std::string& warning : front.certificate().Warnings()) {
    log.Warning("server certificate warning", {{"error", warning}});
  }
  Run();
  return {};
}

void StoreDaemon::Run() {
  io.Start();
  tasks.Spawn([this] { return heartbeat.BeatUntilCancelled(); });
  tasks.Spawn([this] { return uploads.ExpireUntilCancelled(); });
  tasks.Spawn([this] { return orphaned_work.SettleUntilCancelled(); });
  tasks.Spawn([this] { return tag_history_sweep.RunUntilCancelled(); });
  tasks.Spawn([this] { return pull_flush.RunUntilCancelled(); });
  tasks.Spawn([this] { return collector.WorkUntilCancelled(disk); });
  tasks.Spawn([this] { return retention.RunWhenDueUntilCancelled(disk); });
  tasks.Spawn([this] { return gauges.FollowUntilCancelled(); });
  tasks.Spawn([this] { return audit_file.FollowUntilCancelled(); });
  tasks.Spawn([this] { return log_trimmer.FollowUntilCancelled(); });
  tasks.Spawn([this] {
    return RepeatBlockingUntilCancelled(kCertificatePeriod, disk,
                                        [this] { fleet_certificate.Renew(); });
  });
  tasks.Spawn([this] {
    // Skip the first run, because the clock may be wrong when a machine has just started. A wrong
    // clock could delete rows of valid certificates.
    return RepeatBlockingUntilCancelled(kForgetPeriod, disk, [this, first = true]() mutable {
      if (std::exchange(first, false)) return;
      const Result<size_t> deleted = fleet.certificates.DeleteExpired();
      if (deleted.has_value()) return;
      log.Warning("deleting expired certificates failed", {{"error", deleted.error().message}});
    });
  });
  if (!config.access.htpasswd_file.empty()) {
    tasks.Spawn([this] { return htpasswd_users.FollowUntilCancelled(); });
  }
  front.Start();
  operations.Start();
}

Result<void> StoreDaemon::Stop() {
  const auto deadline = std::chrono::steady_clock::now() + kDrain;
  stopping = true;
  log.Info("stopping");
  front.Stop(deadline);
  fleet.connected_nodes.CutAll();  // because streams do not end by themselves
  fleet_server.Stop(std::chrono::system_clock::now() + kLastWait);
  tasks.Cancel();
  if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kLastWait)) {
    return TasksStillRunning(tasks.Count());
  }
  operations.Stop(std::chrono::steady_clock::now() + kLastWait);
  uploads.CheckpointIdle(std::chrono::nanoseconds(0), std::chrono::steady_clock::now() + kLastWait);
  for (BlockingPool* pool : {&disk, &fleet_pool, &admin_pool, &passwords}) pool->Stop();
  static_cast<void>(pull_flush.Flush());  // it has logged why
  collector.Stop();
  heartbeat.Stop();
  io.Stop();
  log.Info("stopped");
  return {};
}

std::vector<std::string> StoreDaemon::Warnings() const {
  Readiness readiness = Ready();
  std::ranges::move(readiness.warnings, std::back_inserter(readiness.reasons));
  return std::move(readiness.reasons);
}

Result<std::vector<std::string>> StoreDaemon::NodesWithoutReport() const {
  const std::chrono::milliseconds within = kReportedWithin;
  return store::NodesWithoutReport(*opened.meta, store_clock.NowMs() - within.count());
}

Readiness StoreDaemon::Ready() const {
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
  fleet_certificate.Report(readiness);
  front.AddTo(readiness);
  return readiness;
}

}  // namespace

Result<std::unique_ptr<Daemon>> StartStore(const Config& config, const std::string& version) {
  const Log log = Log::ToStandardError(config.log_level);
  auto files = std::make_unique<PosixFileSystem>();
  TRY(OpenedStore opened, OpenStore(config, *files, log, version));
  auto daemon =
      std::make_unique<StoreDaemon>(config, log, std::move(files), std::move(opened), version);
  TRY_VOID(daemon->Start());
  return daemon;
}

}  // namespace outport::store
