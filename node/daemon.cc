#include "node/daemon.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>
#include <vector>

#include "node/access_standing.h"
#include "node/membership/credentials.h"
#include "node/membership/renewal.h"
#include "node/mirror.h"
#include "node/replica/sync_client.h"
#include "registry/base/io_threads.h"
#include "registry/base/settings.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"

namespace outport::node {
namespace {

constexpr size_t kDiskThreads = 8;
constexpr size_t kWorkQueue = 4096;
constexpr size_t kPasswordQueue = 256;
constexpr size_t kSyncQueue = 64;
constexpr size_t kBlobConnections = 4;
constexpr std::chrono::seconds kDrain{20};
constexpr std::chrono::seconds kLastWait{12};  // longer than any call to the store
constexpr std::chrono::seconds kCutWait{3};

// What is opened before anything runs.
struct Opened {
  Credentials credentials;
  LoadedCertificate certificate;
  FolderLock lock;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> blobs;
};

// What the node shows clients, and whom it trusts among them.
CertificateFiles FilesShown(const Config& config) {
  return config.registry.Files(config.PkiFolder(), "authorities.crt");
}

// What a channel shows the store: as it stands in the files when a connection begins.
std::shared_ptr<grpc::ChannelCredentials> FollowIdentity(const std::filesystem::path& pki) {
  return rpc::FollowFiles({.certificate_chain = pki / "identity.crt",
                           .private_key = pki / "identity.key",
                           .authorities = pki / "authorities.crt"});
}

std::vector<std::shared_ptr<StoreChannel>> OpenChannels(const Config& config) {
  const auto credentials = FollowIdentity(config.PkiFolder());
  std::vector<std::shared_ptr<StoreChannel>> channels;
  for (size_t i = 0; i < 1 + kBlobConnections; ++i) {
    channels.push_back(std::make_shared<StoreChannel>(rpc::Dial(config.store, credentials, true)));
  }
  return channels;
}

Result<Opened> Open(const Config& config, FileSystem& files, const Log& log) {
  TRY(Credentials credentials, LoadCredentials(config.data));
  TRY(LoadedCertificate certificate, config.registry.Load(FilesShown(config)));
  TRY(FolderLock lock, FolderLock::Take(config.data));
  TRY_VOID(files.CreateDirectories(config.MetaFolder()));
  TRY(std::unique_ptr<MetaStore> meta, OpenRocksMetaStore({.folder = config.MetaFolder()}, log));
  TRY(auto blobs, DiskBlobStore::Open(files, config.data, "fetch", BlobWrites::kCached));
  return Opened{std::move(credentials), std::move(certificate), std::move(lock), std::move(meta),
                std::move(blobs)};
}

// Members in the order of their dependence: what is above outlives what is below.
struct NodeDaemon final : Daemon {
  NodeDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, Opened o,
             std::unique_ptr<AccessDirectory> d, std::unique_ptr<Replica> r, std::string version);

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  Readiness Ready() const;
  void Tell(v1::NodeMessage::Ping& ping) const;
  Mirror::Parts MirrorParts();
  void BeginAnew();

  const Config config;
  const Log log;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock;
  Metrics metrics;
  Opened opened;
  // Shared by the callers of the store; the first is for calls that are short.
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
      sync({channels.front(), *replica, freshness, sync_pool, tasks, clock, metrics, log,
            std::move(version), [this](auto& ping) { Tell(ping); },
            [this](const v1::TrustRow& trust) { renewal.Take(trust); }}),
      mirror(MirrorParts()),
      authenticator(*directory, passwords, clock, metrics, {}),
      front(config.registry, FilesShown(config), std::move(opened.certificate),
            {{io.executor(), nullptr, mirror.registry(), *directory, authenticator, clock, metrics,
              log, [this] { return CheckStanding(replica->policy(), freshness.Staleness()); }},
             disk}),
      operations(
          io.executor(), config.operations_listen, metrics, [this] { return Ready(); }, log),
      renewal({channels.front(), [this] { BeginAnew(); }, config.PkiFolder(),
               opened.credentials.name, disk, clock, metrics, log}),
      renewing(io.executor(), log) {}

Mirror::Parts NodeDaemon::MirrorParts() {
  return Mirror::Parts{.channel = channels.front(),
                       .blob_channels = {channels.begin() + 1, channels.end()},
                       .meta = *opened.meta,
                       .blobs = *opened.blobs,
                       .headroom_bytes = config.headroom_bytes,
                       .replica = *replica,
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

void NodeDaemon::BeginAnew() {
  const auto credentials = FollowIdentity(config.PkiFolder());
  for (const auto& channel : channels) channel->Use(rpc::Dial(config.store, credentials, true));
  sync.BeginAnew();
}

Result<void> NodeDaemon::Start() {
  TRY_VOID(mirror.Recover());
  TRY_VOID(front.Listen());
  TRY_VOID(NameKey(operations.Listen(), "operations.listen"));
  log.Info("listening", {{"node", opened.credentials.name},
                         {"registry", front.address()},
                         {"plain", front.plain_address()},
                         {"operations", operations.address()},
                         {"store", config.store},
                         {"data", config.data.native()}});
  Run();
  return {};
}

void NodeDaemon::Run() {
  io.Start();
  if (const auto trust = replica->Trust()) renewal.Take(*trust);
  sync.Start();
  front.Start();
  operations.Start();
  renewing.Spawn([this] { return renewal.FollowUntilCancelled(); });
}

Result<void> NodeDaemon::Stop() {
  stopping = true;
  log.Info("stopping");
  front.Stop(std::chrono::steady_clock::now() + kDrain);
  renewing.Cancel();
  mirror.Stop();
  sync.Stop();
  if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kLastWait)) {
    log.Warning("tasks are cut off", {{"count", tasks.Count()}});
    tasks.Cancel();
    if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kCutWait)) {
      return TasksLeft(tasks.Count());
    }
  }
  operations.Stop(std::chrono::steady_clock::now() + kLastWait);
  while (!renewing.DrainBlocking(std::chrono::steady_clock::now() + kLastWait)) renewing.Cancel();
  for (BlockingPool* pool : {&disk, &sync_pool, &passwords}) pool->Stop();
  io.Stop();
  log.Info("stopped");
  return {};
}

// What the store is told of: all but what it sees itself.
void NodeDaemon::Tell(v1::NodeMessage::Ping& ping) const {
  renewal.Tell(ping);
  ping.set_authorities(pki::BundleHash(front.certificate().fleet()));
  Readiness readiness;
  front.Tell(readiness);
  if (auto warning = renewal.Warning()) readiness.warnings.push_back(*std::move(warning));
  std::ranges::move(readiness.reasons, std::back_inserter(readiness.warnings));
  ping.mutable_warnings()->Assign(readiness.warnings.begin(), readiness.warnings.end());
}

Readiness NodeDaemon::Ready() const {
  Readiness readiness;
  if (stopping) readiness.reasons.push_back("the node is stopping");
  if (const std::optional<Error> why = opened.meta->WhyReadOnly()) {
    readiness.reasons.push_back("this node follows the store no longer: " + why->message);
  }
  front.Tell(readiness);
  if (auto warning = renewal.Warning()) readiness.warnings.push_back(*std::move(warning));
  if (auto useless = renewal.WhyUseless()) readiness.warnings.push_back(*std::move(useless));
  if (auto refused = sync.WhyRefused(); refused.has_value() && !sync.IsConnected()) {
    readiness.reasons.push_back("the store refuses this node: " + *std::move(refused));
  }
  const auto age = freshness.Staleness();
  const v1::FreshnessPolicy policy = replica->policy();
  if (const Result<void> standing = CheckStanding(policy, age); !standing.has_value()) {
    readiness.reasons.push_back(standing.error().message);
  }
  if (replica->position().epoch().empty()) {
    readiness.reasons.push_back("this node has no snapshot of the store at " + config.store +
                                " yet");
  } else if (!age.has_value()) {
    // Ready means that the node can go on alone from here.
    readiness.reasons.push_back("how old this node's rows are is not known yet from the store at " +
                                config.store);
  } else if (sync.IsConnected()) {
    return readiness;
  } else if (!policy.serve_stale()) {
    readiness.reasons.push_back("the store at " + config.store +
                                " cannot be reached, and its policy is to refuse then");
  } else if (*age > std::chrono::milliseconds(policy.stale_if_error_ms())) {
    readiness.reasons.push_back("the store at " + config.store +
                                " cannot be reached, and this node's rows are too old to serve");
  }
  return readiness;
}

}  // namespace

Result<std::unique_ptr<Daemon>> StartNode(const Config& config, const std::string& version) {
  const Log log = Log::ToStandardError(config.log_level);
  auto files = std::make_unique<PosixFileSystem>();
  TRY(Opened opened, Open(config, *files, log));
  auto directory = std::make_unique<AccessDirectory>();
  TRY(auto replica, Replica::Open(*opened.meta, *directory));
  auto daemon = std::make_unique<NodeDaemon>(config, log, std::move(files), std::move(opened),
                                             std::move(directory), std::move(replica), version);
  TRY_VOID(daemon->Start());
  return daemon;
}

Result<void> CheckNode(const Config& config) {
  TRY(const Credentials credentials, LoadCredentials(config.data));
  TRY(const LoadedCertificate certificate, config.registry.Load(FilesShown(config)));
  return {};
}

}  // namespace outport::node
