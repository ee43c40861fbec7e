#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/io_threads.h"
#include "registry/base/task_group.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "registry/storage/must_pass.h"
#include "store/access/htpasswd_users.h"
#include "store/audit/audit_file.h"
#include "store/change_rate.h"
#include "store/configured_times.h"
#include "store/content/pull_flush.h"
#include "store/content/tag_history_sweep.h"
#include "store/fleet_certificate.h"
#include "store/fleet_server.h"
#include "store/gc/collector.h"
#include "store/open_store.h"
#include "store/replication/log_trimmer.h"
#include "store/retention/retention.h"
#include "store/store_gauges.h"
#include "store/store_registry.h"
#include "store/uploads/orphaned_work.h"
#include "store/work/heartbeat.h"

namespace outport::store {

inline constexpr size_t kDiskThreads = 8;
inline constexpr size_t kFleetThreads = 6;
inline constexpr size_t kAdminThreads = 2;  // administrators never occupy the threads of nodes
inline constexpr size_t kWorkQueue = 4096;
inline constexpr size_t kPasswordQueue = 256;

// The objects of a running store and how they refer to each other. The order matters: a member may
// refer only to members above it, because these outlive it. StartStore() starts and stops them.
struct StoreParts {
  StoreParts(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, OpenedStore o,
             std::string v);

  // Safe for all threads.
  Readiness Ready() const;
  // The reasons and the warnings of Ready().
  std::vector<std::string> Warnings() const;
  // The time by the store clock while the wall clock may be wrong, else nullopt.
  std::optional<std::chrono::system_clock::time_point> StoreTimeInDoubt() const;

  const Config config;
  const Log log;
  const std::string version;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock{};
  StoreClock store_clock{clock};
  Metrics metrics;
  OpenedStore opened;
  // For work that frees space, or without which the store could free none.
  MustPassMetaStore must_pass{*opened.meta};

  IoThreads io{log};
  BlockingPool disk{"disk", kDiskThreads, kWorkQueue, log};
  BlockingPool fleet_pool{"fleet", kFleetThreads, kWorkQueue, log};
  BlockingPool admin_pool{"admin", kAdminThreads, kWorkQueue, log};
  BlockingPool passwords{"bcrypt", IoThreads::Cores(), kPasswordQueue, log};
  TaskGroup tasks{io.executor(), log};

  Owner owner{must_pass, store_clock, Owner::Access::kExclusive};
  Heartbeat heartbeat{
      {.meta = must_pass, .clock = store_clock, .owner = owner, .pool = disk, .log = log}};
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
                   .headroom_bytes = config.disk.headroom_bytes,
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
  ChangeRate change_rate{
      clock,
      metrics,
      {.per_second = static_cast<double>(config.changes.max_rate),
       .burst = static_cast<double>(config.changes.max_burst),
       .new_repositories_per_hour = static_cast<double>(config.changes.max_new_repositories)}};
  StoreRegistry registry{{.content = content,
                          .uploads = uploads,
                          .disk = disk,
                          .large_writes = large_writes,
                          .pulls = pulls,
                          .metrics = metrics,
                          .log = log,
                          .change_rate = &change_rate}};
  PullFlush pull_flush{
      {.pulls = pulls, .meta = *opened.meta, .pool = disk, .metrics = metrics, .log = log}};
  TagHistorySweep tag_history_sweep{{.meta = must_pass,
                                     .clock = store_clock,
                                     .pool = disk,
                                     .log = log,
                                     .owner = owner.id(),
                                     .keep = config.tag_history}};
  Collector collector{{.meta = must_pass,
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
                                  .headroom_bytes = config.disk.headroom_bytes,
                                  .interval = CollectionInterval(config)},
                       .demand = &space_demand,
                       .flush_pulls = [this] { return pull_flush.Flush(); },
                       .nodes_without_report = [this] { return NodesWithoutReport(); }}};
  Retention retention{{.meta = must_pass,
                       .clock = clock,
                       .store_clock = store_clock,
                       .times = CollectionTimesOf(config),
                       .collector = collector,
                       .log = log,
                       .nodes_without_report = [this] { return NodesWithoutReport(); }}};
  StoreGauges gauges{*opened.meta, *opened.blobs, disk, metrics};
  DiskWatch disk_watch{{.free_bytes = [this] { return opened.blobs->FreeBytes(); },
                        .pool = disk,
                        .metrics = metrics,
                        .log = log,
                        .disk = "the store's disk",
                        .effect = "pushes are rejected",
                        .limits = config.disk}};
  AuditFile audit_file{{.meta = must_pass,
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
  Rotation rotation{{.meta = must_pass,
                     .authorities = fleet.authorities,
                     .follower = fleet.follower,
                     .nodes = fleet.connected_nodes,
                     .files = *files,
                     .clock = clock,
                     .log = log,
                     .pki = config.PkiFolder(),
                     .domain = opened.identity.domain,
                     .store_time_in_doubt = [this] { return StoreTimeInDoubt(); }}};
  FleetCertificate fleet_certificate{{.rotation = rotation,
                                      .clock = clock,
                                      .log = log,
                                      .pki = config.PkiFolder(),
                                      .chain = opened.authority.server_chain}};
  LogTrimmer log_trimmer{{.meta = must_pass,
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

 private:
  FleetServer::Parts FleetServerParts();
  Result<std::vector<std::string>> NodesWithoutReport() const;
};

}  // namespace outport::store
