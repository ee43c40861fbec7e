#include "store/daemon.h"

#include <optional>
#include <utility>

#include "registry/base/repeat.h"
#include "registry/base/settings.h"
#include "store/authority/fleet_files.h"
#include "store/freshness_policy.h"
#include "store/store_parts.h"

namespace outport::store {
namespace {

constexpr std::chrono::seconds kDrain{20};
constexpr std::chrono::seconds kLastWait{5};
constexpr std::chrono::minutes kCertificatePeriod{10};
constexpr std::chrono::seconds kPendingPeriod{5};
constexpr std::chrono::hours kForgetPeriod{24};

struct StoreDaemon final : Daemon, StoreParts {
  using StoreParts::StoreParts;

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  void Reload() override { log.Info("hangup received: changed files are in use within seconds"); }
};

Result<void> StoreDaemon::Start() {
  TRY_VOID(heartbeat.Start());
  TRY(const size_t settled, content.blobs.SettleIntents());
  TRY_VOID(uploads.Load());
  TRY_VOID(fleet.Load());
  TRY_VOID(rotation.Recover());
  if (const Result<void> opens = audit_file.Open(); !opens.has_value()) {
    return Error(opens.error()).Within("audit.file");
  }
  if (const Result<void> follows = htpasswd_users.FollowAtStart(); !follows.has_value()) {
    return Error(follows.error()).Within("access.htpasswd_file");
  }
  TRY_VOID(front.Listen());
  TRY_VOID(NameKeyInError(operations.Listen(), "operations.listen"));
  const rpc::TlsFiles shown{.certificate_chain = config.PkiFolder() / "server.crt",
                            .private_key = config.PkiFolder() / "server.key",
                            .authorities = config.PkiFolder() / kTrustBundleFile};
  TRY_VOID(NameKeyInError(fleet_server.Start(config.fleet_listen, shown), "fleet.listen"));
  // This is the last step that can fail, so a failed start records no policy.
  TRY_VOID(RecordPolicy(must_pass, PolicyOf(config), clock));
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
  tasks.Spawn([this] { return disk_watch.FollowUntilCancelled(); });
  tasks.Spawn([this] {
    return RepeatBlockingUntilCancelled(kPendingPeriod, admin_pool, [this] {
      static_cast<void>(fleet.follower.pending().Settle());  // the warning stays until it succeeds
    });
  });
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
  fleet.follower.pending().SettleAtEnd();
  static_cast<void>(pull_flush.Flush());  // it has logged why
  collector.Stop();
  heartbeat.Stop();
  io.Stop();
  log.Info("stopped");
  return {};
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
