#include "node/daemon.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>
#include <vector>

#include "node/membership/node_format.h"
#include "node/membership/node_identity.h"
#include "node/membership/renewal.h"
#include "node/mirror.h"
#include "node/pulls/pull_reporter.h"
#include "node/replica/sync_client.h"
#include "node/revocation_age.h"
#include "registry/base/io_threads.h"
#include "registry/base/settings.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"

namespace outport::node {
namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr size_t kDiskThreads = 8;
constexpr size_t kWorkQueue = 4096;
constexpr size_t kPasswordQueue = 256;
constexpr size_t kSyncQueue = 64;
constexpr size_t kBlobConnections = 4;
constexpr std::chrono::seconds kRequestDrain{20};
constexpr std::chrono::seconds kTaskDrain{12};  // longer than any call to the store
constexpr std::chrono::seconds kCancelDrain{3};

// The contents of the data folder. StartNode() opens them before it starts threads.
struct Opened {
  NodeIdentity identity;
  LoadedCertificate certificate;
  FolderLock lock;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> blobs;
};

// Returns the files of the registry port: its certificate, and the authorities that issue the
// certificates of clients.
CertificateFiles FilesShown(const Config& config) {
  return config.registry.Files(config.PkiFolder(), "authorities.crt");
}

// Returns the identity with which the node dials the store. Each new connection reads its files
// again.
std::shared_ptr<grpc::ChannelCredentials> IdentityCredentials(const std::filesystem::path& pki) {
  return rpc::ReloadingChannelCredentials({.certificate_chain = pki / "identity.crt",
                                           .private_key = pki / "identity.key",
                                           .authorities = pki / "authorities.crt"});
}

std::vector<std::shared_ptr<StoreChannel>> OpenChannels(const Config& config) {
  const auto credentials = IdentityCredentials(config.PkiFolder());
  std::vector<std::shared_ptr<StoreChannel>> channels;
  channels.reserve(1 + kBlobConnections);
  for (size_t i = 0; i < 1 + kBlobConnections; ++i) {
    channels.push_back(std::make_shared<StoreChannel>(rpc::Dial(config.store, credentials, true)));
  }
  return channels;
}

Result<Opened> Open(const Config& config, FileSystem& files, const Log& log,
                    const std::string& version) {
  // Check the format before the lock, because the lock writes a file.
  TRY(DataFormat format, DataFormat::Read(config.data, kNodeFormats));
  TRY(NodeIdentity identity, LoadNodeIdentity(config.data));
  TRY(LoadedCertificate certificate, config.registry.Load(FilesShown(config)));
  TRY(FolderLock lock, FolderLock::Acquire(config.data));
  // Read it again, because it cannot change under the lock.
  TRY(format, DataFormat::Read(config.data, kNodeFormats));
  TRY_VOID(files.CreateDirectories(config.MetaFolder()));
  TRY(std::unique_ptr<MetaStore> meta, OpenRocksMetaStore({.folder = config.MetaFolder()}, log));
  TRY(auto blobs, DiskBlobStore::Open(files, config.data, "fetch", BlobWrites::kCached));
  TRY_VOID(format.Raise(version, log));
  return Opened{std::move(identity), std::move(certificate), std::move(lock), std::move(meta),
                std::move(blobs)};
}

// The order of the members is the order of their dependence: each member outlives the members below
// it.
struct NodeDaemon final : Daemon {
  NodeDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, Opened o,
             std::unique_ptr<AccessDirectory> d, std::unique_ptr<Replica> r, std::string version);

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  Readiness Ready() const;
  std::vector<std::string> Warnings() const;
  // Returns why the node could not answer pulls if the store became unreachable now. Returns
  // nullopt if the node could answer.
  std::optional<std::string> WhyDependsOnStore() const;
  void Describe(v1::NodeMessage::Ping& ping) const;
  PullReporter::Parts PullReporterParts();
  Mirror::Parts MirrorParts();
  void Reconnect();

  const Config config;
  const Log log;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock;
  Metrics metrics;
  Opened opened;
  // Shared with the callers of the store. The first channel is for short calls; the others carry
  // blobs.
  const std::vector<std::shared_ptr<StoreChannel>> channels;

  IoThreads io;
  BlockingPool disk{"disk", kDiskThreads, kWorkQueue, log};
  BlockingPool sync_pool{"sync", 1, kSyncQueue, log};
  BlockingPool passwords{"bcrypt", IoThreads::Cores(), kPasswordQueue, log};
  TaskGroup tasks;

  const std::unique_ptr<AccessDirectory> directory;
  const std::unique_ptr<Replica> replica;
  Freshness freshness;
  SyncClient sync;
  PullRecorder pulls{
      [this] { return std::chrono::floor<Milliseconds>(clock.SinceBoot()).count(); }};
  PullReporter pull_reporter;
  Mirror mirror;
  Authenticator authenticator;
  RegistryFront front;
  OperationsServer operations;
  Renewal renewal;
  TaskGroup renewing;
  std::atomic<bool> stopping = false;
};

NodeDaemon::NodeDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, Opened o,
                       std::unique_ptr<AccessDirectory> d, std::unique_ptr<Replica> r,
                       std::string version)
    : config(c),
      log(l),
      files(std::move(f)),
      opened(std::move(o)),
      channels(OpenChannels(config)),
      io(log),
      tasks(io.executor(), log),
      directory(std::move(d)),
      replica(std::move(r)),
      freshness(clock, replica->proven_ms()),
      sync({.channel = channels.front(),
            .replica = *replica,
            .freshness = freshness,
            .pool = sync_pool,
            .tasks = tasks,
            .clock = clock,
            .metrics = metrics,
            .log = log,
            .version = std::move(version),
            .add_status = [this](v1::NodeMessage::Ping& ping) { Describe(ping); },
            .on_epoch = [this](const std::string& epoch) { mirror.BeginEpoch(epoch); },
            .on_trust = [this](const v1::TrustRow& trust) { renewal.SetTrust(trust); },
            .on_tombstones =
                [this](std::vector<Digest> digests) { mirror.DropTombstoned(std::move(digests)); },
            .drop_copies =
                [this](std::vector<CopyName> copies) {
                  return mirror.DropUnlinked(std::move(copies));
                }}),
      pull_reporter(PullReporterParts()),
      mirror(MirrorParts()),
      authenticator(*directory, passwords, clock, metrics, {}),
      front(config.registry, FilesShown(config), std::move(opened.certificate),
            {.server = {.executor = io.executor(),
                        .tls = nullptr,
                        .registry = mirror.registry(),
                        .directory = *directory,
                        .authenticator = authenticator,
                        .clock = clock,
                        .metrics = metrics,
                        .log = log,
                        .revocations_known =
                            [this] {
                              return CheckRevocationAge(replica->policy(), freshness.Staleness());
                            }},
             .pool = disk}),
      operations(
          io.executor(), config.operations_listen, metrics, [this] { return Ready(); }, log),
      renewal({.channel = channels.front(),
               .renewed = [this] { Reconnect(); },
               .pki = config.PkiFolder(),
               .node = opened.identity.name,
               .pool = disk,
               .clock = clock,
               .metrics = metrics,
               .log = log}),
      renewing(io.executor(), log) {}

PullReporter::Parts NodeDaemon::PullReporterParts() {
  return {.channel = channels.front(),
          .pulls = pulls,
          .meta = *opened.meta,
          .pool = disk,
          .tasks = tasks,
          .clock = clock,
          .metrics = metrics,
          .log = log,
          .store_is_connected = [this] { return sync.IsConnected(); }};
}

Mirror::Parts NodeDaemon::MirrorParts() {
  return Mirror::Parts{.channel = channels.front(),
                       .blob_channels = {channels.begin() + 1, channels.end()},
                       .meta = *opened.meta,
                       .blobs = *opened.blobs,
                       .headroom_bytes = config.headroom_bytes,
                       .replica = *replica,
                       .pulls = pulls,
                       .freshness = freshness,
                       .pool = disk,
                       .tasks = tasks,
                       .clock = clock,
                       .metrics = metrics,
                       .log = log,
                       .store_name = config.store.substr(0, config.store.rfind(':')) +
                                     " (the port of its registry.listen)",
                       .read_only = config.read_only,
                       .store_is_connected = [this] { return sync.IsConnected(); }};
}

void NodeDaemon::Reconnect() {
  const auto credentials = IdentityCredentials(config.PkiFolder());
  for (const auto& channel : channels) channel->Replace(rpc::Dial(config.store, credentials, true));
  sync.Reconnect();
}

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

std::vector<std::string> NodeDaemon::Warnings() const {
  std::vector<std::string> warnings = front.certificate().Warnings();
  if (auto warning = renewal.Warning()) warnings.push_back(*std::move(warning));
  return warnings;
}

// Omits two warnings that the store finds out by itself: that this node is disconnected, and that
// its identity has expired.
void NodeDaemon::Describe(v1::NodeMessage::Ping& ping) const {
  renewal.AddTo(ping);
  ping.set_authorities(pki::BundleHash(front.certificate().fleet()));
  for (std::string& warning : Warnings()) ping.add_warnings(std::move(warning));
  if (auto expired = front.certificate().WhyExpired()) ping.add_warnings(*std::move(expired));
}

Readiness NodeDaemon::Ready() const {
  Readiness readiness{.reasons = {}, .warnings = Warnings()};
  const auto not_ready = [&readiness](std::optional<std::string> reason) {
    if (reason.has_value()) readiness.reasons.push_back(*std::move(reason));
  };
  if (stopping) not_ready("the node is stopping");
  if (const std::optional<Error> why = opened.meta->WhyReadOnly()) {
    not_ready("replication from the store has stopped: " + why->message);
  }
  not_ready(front.certificate().WhyExpired());
  if (auto expired = renewal.WhyExpired()) readiness.warnings.push_back(*std::move(expired));
  if (auto rejected = sync.WhyDenied(); rejected.has_value() && !sync.IsConnected()) {
    not_ready("the store rejects this node: " + *std::move(rejected));
  }
  const Result<void> known = CheckRevocationAge(replica->policy(), freshness.Staleness());
  if (!known.has_value()) not_ready(known.error().message);
  not_ready(WhyDependsOnStore());
  return readiness;
}

std::optional<std::string> NodeDaemon::WhyDependsOnStore() const {
  const std::string store = "the store at " + config.store;
  const auto staleness = freshness.Staleness();
  if (replica->position().epoch().empty()) return "this node has no snapshot yet from " + store;
  if (!staleness.has_value()) return "this node has no proof of freshness yet from " + store;
  if (sync.IsConnected()) return std::nullopt;
  const v1::FreshnessPolicy policy = replica->policy();
  if (!policy.serve_stale()) {
    return store + " is unreachable, and its policy forbids stale answers";
  }
  if (*staleness > std::chrono::milliseconds(policy.stale_if_error_ms())) {
    return store + " is unreachable, and the replica is too old to answer";
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Daemon>> StartNode(const Config& config, const std::string& version) {
  const Log log = Log::ToStandardError(config.log_level);
  auto files = std::make_unique<PosixFileSystem>();
  TRY(Opened opened, Open(config, *files, log, version));
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
  TRY(const LoadedCertificate certificate, config.registry.Load(FilesShown(config)));
  return {};
}

}  // namespace outport::node
