#include "node/daemon.h"

#include <utility>

#include "node/membership/node_format.h"
#include "node/node_parts.h"
#include "registry/base/settings.h"
#include "registry/storage/rocks/rocks_meta_store.h"

namespace outport::node {
namespace {

constexpr std::chrono::seconds kRequestDrain{20};
constexpr std::chrono::seconds kTaskDrain{12};  // longer than any call to the store
constexpr std::chrono::seconds kCancelDrain{3};

Result<OpenedNode> Open(const Config& config, FileSystem& files, const Log& log,
                        const std::string& version) {
  // Check the format before the lock, because the lock writes a file.
  TRY(DataFormat format, DataFormat::Read(config.data, kNodeFormats));
  TRY(NodeIdentity identity, LoadNodeIdentity(config.data));
  TRY(LoadedCertificate certificate, config.registry.Load(FilesShown(config), identity.domain));
  TRY(FolderLock lock, FolderLock::Acquire(config.data));
  // Read it again, because it cannot change under the lock.
  TRY(format, DataFormat::Read(config.data, kNodeFormats));
  TRY_VOID(files.CreateDirectories(config.MetaFolder()));
  TRY(std::unique_ptr<MetaStore> meta, OpenRocksMetaStore({.folder = config.MetaFolder()}, log));
  TRY(auto blobs, DiskBlobStore::Open(files, config.data, "fetch", BlobWrites::kCached));
  TRY_VOID(format.Raise(version, log));
  return OpenedNode{std::move(identity), std::move(certificate), std::move(lock), std::move(meta),
                    std::move(blobs)};
}

struct NodeDaemon final : Daemon, NodeParts {
  using NodeParts::NodeParts;

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  void Reload() override { log.Info("hangup received: changed files are in use within seconds"); }
};

Result<void> NodeDaemon::Start() {
  TRY_VOID(mirror.Recover());
  TRY_VOID(front.Listen());
  TRY_VOID(NameKeyInError(operations.Listen(), "operations.listen"));
  log.Info("listening", {{"node", opened.identity.name},
                         {"registry", front.address()},
                         {"http", front.plain_address()},
                         {"operations", operations.address()},
                         {"store", config.store},
                         {"data", config.data.native()}});
  for (const std::string& warning : front.certificate().Warnings()) {
    log.Warning("server certificate warning", {{"error", warning}});
  }
  Run();
  return {};
}

void NodeDaemon::Run() {
  io.Start();
  if (const auto trust = replica->Trust()) renewal.SetTrust(*trust);
  sync.Start();
  pull_reporter.Start();
  front.Start();
  operations.Start();
  renewing.Spawn([this] { return renewal.FollowUntilCancelled(); });
  renewing.Spawn([this] { return disk_watch.FollowUntilCancelled(); });
}

Result<void> NodeDaemon::Stop() {
  stopping = true;
  log.Info("stopping");
  front.Stop(std::chrono::steady_clock::now() + kRequestDrain);
  renewing.Cancel();
  mirror.Stop();
  sync.Stop();
  pull_reporter.Stop();
  if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kTaskDrain)) {
    log.Warning("tasks cancelled", {{"count", tasks.Count()}});
    tasks.Cancel();
    if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kCancelDrain)) {
      return TasksStillRunning(tasks.Count());
    }
  }
  operations.Stop(std::chrono::steady_clock::now() + kTaskDrain);
  while (!renewing.DrainBlocking(std::chrono::steady_clock::now() + kTaskDrain)) renewing.Cancel();
  for (BlockingPool* pool : {&disk, &sync_pool, &passwords}) pool->Stop();
  io.Stop();
  log.Info("stopped");
  return {};
}

}  // namespace

Result<std::unique_ptr<Daemon>> StartNode(const Config& config, const std::string& version) {
  const Log log = Log::ToStandardError(config.log_level);
  auto files = std::make_unique<PosixFileSystem>();
  TRY(OpenedNode opened, Open(config, *files, log, version));
  auto directory = std::make_unique<AccessDirectory>();
  TRY(auto replica, Replica::Open(*opened.meta, *directory));
  auto daemon = std::make_unique<NodeDaemon>(config, log, std::move(files), std::move(opened),
                                             std::move(directory), std::move(replica), version);
  TRY_VOID(daemon->Start());
  return daemon;
}

Result<DataFormat> ReadNodeFormat(const std::filesystem::path& data) {
  TRY(DataFormat format, DataFormat::Read(data, kNodeFormats));
  TRY(const NodeIdentity identity, LoadNodeIdentity(data));
  return format;
}

Result<void> CheckNode(const Config& config) {
  TRY(const DataFormat format, DataFormat::Read(config.data, kNodeFormats));
  TRY(const NodeIdentity identity, LoadNodeIdentity(config.data));
  TRY(const LoadedCertificate certificate,
      config.registry.Load(FilesShown(config), identity.domain));
  return {};
}

}  // namespace outport::node
