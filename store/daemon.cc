#include "store/daemon.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "registry/base/address.h"
#include "registry/base/io_threads.h"
#include "registry/base/repeat.h"
#include "registry/base/settings.h"
#include "registry/base/task_group.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "registry/records/rows.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/access/htpasswd_users.h"
#include "store/audit/audit_file.h"
#include "store/authority/authority_files.h"
#include "store/authority/fleet_files.h"
#include "store/disk_gauges.h"
#include "store/fleet_server.h"
#include "store/freshness_policy.h"
#include "store/store_registry.h"

namespace outport::store {
namespace {

constexpr size_t kDiskThreads = 8;
constexpr size_t kFleetThreads = 4;
constexpr size_t kWorkQueue = 4096;
constexpr size_t kPasswordQueue = 256;
constexpr std::chrono::seconds kDrain{20};
constexpr std::chrono::seconds kLastWait{5};
constexpr std::chrono::days kRenewalNotice{30};
constexpr std::chrono::minutes kCertificatePeriod{10};
constexpr std::chrono::hours kForgetPeriod{24};

Error NotInitialised(const std::filesystem::path& data) {
  return Error{ErrorCode::kFailedPrecondition, "the data folder " + data.native() +
                                                   " holds no store; 'outport-store init --data " +
                                                   data.native() + " --name HOST' makes one"};
}

// Nodes dial the address that invitations carry, and accept no other name than that.
Result<void> CheckFleetAddress(const Config& config, const std::string& server_chain) {
  TRY(const HostPort address, ParseHostPort(config.fleet_address));
  const Result<void> named = pki::CheckHost(server_chain, address.host);
  if (named.has_value()) return {};
  return Error{ErrorCode::kInvalidArgument,
               config.fleet_address_place + ": the store's certificate is not for '" +
                   address.host +
                   "', so nodes would refuse it; write one of its names ('openssl "
                   "x509 -noout -ext subjectAltName -in " +
                   (config.PkiFolder() / "server.crt").native() + "' shows them)"};
}

CertificateFiles FilesShown(const Config& config) {
  return config.registry.Files(config.PkiFolder(), kTrustedFile);
}

// What the store shows clients, and whom it trusts among them.
Result<LoadedCertificate> LoadShown(const Config& config, const AuthorityFiles& authority) {
  TRY(LoadedCertificate certificate, config.registry.Load(FilesShown(config)));
  TRY_VOID(CheckFleetAddress(config, authority.server_chain));
  return certificate;
}

// As the store left them: while they were replaced, perhaps.
Result<AuthorityFiles> OpenAuthority(const Config& config, const std::string& domain,
                                     const MetaStore& meta, FileSystem& files) {
  const std::filesystem::path pki = config.PkiFolder();
  TRY(const auto rotation, ReadRow<v1::RotationRow>(meta, keys::kRotation));
  if (rotation.has_value() && rotation->phase() == kRetirePhase) {
    TRY_VOID(PromoteNext(files, pki));
  }
  TRY(pki::Authority authority, LoadAuthority(pki, domain));
  const AuthorityStanding standing = StandingOf(std::move(authority));
  TRY_VOID(ReplaceLostServerKey(pki, standing));
  std::error_code ignored;
  if (!std::filesystem::exists(pki / kTrustedFile, ignored)) {
    TRY_VOID(WriteFleetFiles(pki, standing, SystemClock().Wall()));
  }
  return LoadAuthorityFiles(pki, domain);
}

NodeLifetimes LifetimesOf(const Config& config) {
  return {
      .identity =
          std::chrono::floor<std::chrono::seconds>(config.nodes.identity_certificate_lifetime),
      .server = std::chrono::floor<std::chrono::seconds>(config.nodes.server_certificate_lifetime)};
}

// A node renews at a third of its certificate's life: a quarter and a quarter later no connection
// of the older one is left.
FleetLimits LimitsOf(const Config& config) {
  FleetLimits limits;
  limits.age = std::min(limits.age, config.nodes.identity_certificate_lifetime / 4);
  limits.age_grace = std::min(limits.age_grace, config.nodes.identity_certificate_lifetime / 4);
  return limits;
}

// What is opened before anything runs.
struct Opened {
  FolderLock lock;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> blobs;
  v1::StoreRow store;
  AuthorityFiles authority;
  LoadedCertificate certificate;
};

Result<Opened> Open(const Config& config, FileSystem& files, const Log& log) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(config.MetaFolder(), ignored)) {
    return NotInitialised(config.data);
  }
  TRY(FolderLock lock, FolderLock::Take(config.data));
  TRY(std::unique_ptr<MetaStore> meta, OpenRocksMetaStore({.folder = config.MetaFolder()}, log));
  TRY(auto store, ReadRow<v1::StoreRow>(*meta, keys::kStore));
  if (!store.has_value()) return NotInitialised(config.data);
  TRY(AuthorityFiles authority, OpenAuthority(config, store->domain(), *meta, files));
  TRY(LoadedCertificate certificate, LoadShown(config, authority));
  TRY(auto blobs, DiskBlobStore::Open(files, config.data, "uploads", BlobWrites::kDirect));
  return Opened{std::move(lock),   std::move(meta),      std::move(blobs),
                *std::move(store), std::move(authority), std::move(certificate)};
}

// Members in the order of their dependence: what is above outlives what is below.
struct StoreDaemon final : Daemon {
  StoreDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, Opened o,
              std::string version);

  Result<void> Start();
  void Run();
  Result<void> Stop() override;
  Readiness Ready() const;
  std::vector<std::string> Warnings() const;
  void KeepCertificate();
  void ForgetExpired();
  Result<void> LearnCertificatesEnd();
  FleetServer::Parts FleetServerParts(std::string version);

  const Config config;
  const Log log;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock;
  Metrics metrics;
  Opened opened;
  // Of what the fleet port shows; the registry's may be another.
  std::atomic<std::chrono::system_clock::time_point> fleet_certificate_ends;

  IoThreads io;
  BlockingPool disk{"disk", kDiskThreads, kWorkQueue, log};
  BlockingPool fleet_pool{"fleet", kFleetThreads, kWorkQueue, log};
  BlockingPool passwords{"bcrypt", IoThreads::Cores(), kPasswordQueue, log};
  TaskGroup tasks;

  AccessDirectory directory;
  Fleet fleet;
  Authenticator authenticator;
  Content content;
  Uploads uploads;
  StoreRegistry registry;
  Figures figures;
  AuditFile audit_file;
  HtpasswdUsers htpasswd_users;
  Rotation rotation;
  ReadBlob read_blob;
  FleetServer fleet_server;
  RegistryFront front;
  OperationsServer operations;
  std::atomic<bool> stopping = false;
};

StoreDaemon::StoreDaemon(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f,
                         Opened o, std::string version)
    : config(c),
      log(l),
      files(std::move(f)),
      opened(std::move(o)),
      fleet_certificate_ends(
          pki::NotAfter(opened.authority.server_chain).value_or(clock.Wall() + kRenewalNotice * 2)),
      io(log),
      tasks(io.executor(), log),
      fleet({.meta = *opened.meta,
             .directory = directory,
             .clock = clock,
             .log = log,
             .authority = opened.authority.authority,
             .fleet_address = config.fleet_address,
             .lifetimes = LifetimesOf(config)}),
      authenticator(directory, passwords, clock, metrics, {}),
      content(*opened.meta, *opened.blobs, clock, log, config.headroom_bytes),
      uploads({.meta = *opened.meta,
               .bytes = *opened.blobs,
               .blobs = content.blobs,
               .disk = disk,
               .clock = clock,
               .metrics = metrics,
               .log = log,
               .boot_id = BootId(),
               .limits = {.sessions = {.sessions = config.max_upload_sessions,
                                       .idle = std::chrono::duration_cast<std::chrono::seconds>(
                                           config.upload_idle_timeout)}}}),
      registry(
          {.content = content, .uploads = uploads, .disk = disk, .metrics = metrics, .log = log}),
      figures(*opened.meta, *opened.blobs, disk, metrics),
      audit_file({.meta = *opened.meta,
                  .files = *files,
                  .pool = disk,
                  .metrics = metrics,
                  .log = log,
                  .path = config.AuditFile(),
                  .max_size_bytes = config.audit.max_size_bytes,
                  .max_files = config.audit.max_files,
                  .max_entries = static_cast<uint64_t>(config.audit.max_entries),
                  .syslog = config.audit.syslog ? kSyslogSocket : ""}),
      htpasswd_users({.users = fleet.users,
                      .pool = disk,
                      .metrics = metrics,
                      .log = log,
                      .file = config.access.htpasswd_file,
                      .group = config.access.htpasswd_group}),
      rotation({.meta = *opened.meta,
                .authorities = fleet.authorities,
                .follower = fleet.follower,
                .nodes = fleet.connected_nodes,
                .files = *files,
                .clock = clock,
                .log = log,
                .pki = config.PkiFolder(),
                .domain = opened.store.domain()}),
      read_blob(content.blobs, fleet_pool, tasks, metrics, log),
      fleet_server(FleetServerParts(std::move(version))),
      front(config.registry, FilesShown(config), std::move(opened.certificate),
            {.server = {.executor = io.executor(),
                        .tls = nullptr,
                        .registry = registry,
                        .directory = directory,
                        .authenticator = authenticator,
                        .clock = clock,
                        .metrics = metrics,
                        .log = log},
             .pool = disk}),
      operations(
          io.executor(), config.operations_listen, metrics, [this] { return Ready(); }, log) {}

FleetServer::Parts StoreDaemon::FleetServerParts(std::string version) {
  const StoreIdentity identity{.epoch = opened.store.epoch(), .domain = opened.store.domain()};
  const AdminGate gate{.domain = identity.domain, .directory = directory, .pool = fleet_pool};
  return FleetServer::Parts{.replication = {.meta = *opened.meta,
                                            .directory = directory,
                                            .members = fleet.member_directory,
                                            .blobs = read_blob,
                                            .pool = fleet_pool,
                                            .tasks = tasks,
                                            .nodes = fleet.connected_nodes,
                                            .clock = clock,
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
                                      .version = std::move(version),
                                      .data = config.data,
                                      .started_ms = ToUnixMillis(clock.Wall()),
                                      .warnings = [this] { return Warnings(); }},
                            .access = {.gate = gate, .fleet = fleet, .clock = clock},
                            .enrollment = {.fleet = fleet,
                                           .pool = fleet_pool,
                                           .clock = clock,
                                           .metrics = metrics,
                                           .domain = identity.domain},
                            .audit = {.gate = gate, .meta = *opened.meta},
                            .authority = {.gate = gate, .rotation = rotation},
                            .limits = LimitsOf(config)};
}

Result<void> StoreDaemon::Start() {
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
  TRY_VOID(NameKey(operations.Listen(), "operations.listen"));
  const rpc::TlsFiles shown{.certificate_chain = config.PkiFolder() / "server.crt",
                            .private_key = config.PkiFolder() / "server.key",
                            .authorities = config.PkiFolder() / kTrustedFile};
  TRY_VOID(NameKey(fleet_server.Start(config.fleet_listen, shown), "fleet.listen"));
  TRY_VOID(RecordPolicy(*opened.meta, PolicyOf(config), clock));  // nothing is in its way any more
  log.Info("listening", {{"registry", front.address()},
                         {"plain", front.plain_address()},
                         {"fleet", fleet_server.address()},
                         {"operations", operations.address()},
                         {"data", config.data.native()}});
  if (settled > 0) log.Info("unfinished commits undone", {{"count", settled}});
  for (const std::string& warning : front.certificate().Warnings()) log.Warning(warning);
  Run();
  return {};
}

void StoreDaemon::Run() {
  io.Start();
  tasks.Spawn([this] { return uploads.ExpireUntilCancelled(); });
  tasks.Spawn([this] { return figures.FollowUntilCancelled(); });
  tasks.Spawn([this] { return audit_file.FollowUntilCancelled(); });
  tasks.Spawn([this] {
    return RepeatBlockingUntilCancelled(kCertificatePeriod, disk, [this] { KeepCertificate(); });
  });
  tasks.Spawn([this] {
    // Not at once: a clock that is wrong when a machine starts is soon set right.
    return RepeatBlockingUntilCancelled(kForgetPeriod, disk, [this, first = true]() mutable {
      if (!std::exchange(first, false)) ForgetExpired();
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
  fleet.connected_nodes.CutAll();  // their streams have no end of their own
  fleet_server.Stop(std::chrono::system_clock::now() + kLastWait);
  tasks.Cancel();
  if (!tasks.DrainBlocking(std::chrono::steady_clock::now() + kLastWait)) {
    return TasksLeft(tasks.Count());
  }
  operations.Stop(std::chrono::steady_clock::now() + kLastWait);
  uploads.SaveUnsafe(std::chrono::nanoseconds(0), std::chrono::steady_clock::now() + kLastWait);
  for (BlockingPool* pool : {&disk, &fleet_pool, &passwords}) pool->Stop();
  io.Stop();
  log.Info("stopped");
  return {};
}

void StoreDaemon::ForgetExpired() {
  const Result<size_t> forgotten = fleet.certificates.ForgetExpired();
  if (forgotten.has_value()) return;
  log.Warning("certificates that ended were not forgotten", {{"cause", forgotten.error().message}});
}

void StoreDaemon::KeepCertificate() {
  Result<void> kept = rotation.KeepServerCertificate();
  if (kept.has_value()) kept = LearnCertificatesEnd();
  if (kept.has_value()) return;
  log.Error("the fleet port's certificate was not renewed", {{"cause", kept.error().message}});
}

Result<void> StoreDaemon::LearnCertificatesEnd() {
  TRY(const std::string chain, ReadWholeFile(config.PkiFolder() / "server.crt"));
  TRY(fleet_certificate_ends, pki::NotAfter(chain));
  return {};
}

std::vector<std::string> StoreDaemon::Warnings() const {
  Readiness readiness = Ready();
  std::ranges::move(readiness.warnings, std::back_inserter(readiness.reasons));
  return std::move(readiness.reasons);
}

Readiness StoreDaemon::Ready() const {
  Readiness readiness;
  if (stopping) readiness.reasons.push_back("the store is stopping");
  if (const std::optional<Error> why = opened.meta->WhyReadOnly()) {
    readiness.reasons.push_back("pushes are refused: " + why->message);
  }
  const auto ends = fleet_certificate_ends.load();
  if (clock.Wall() >= ends) {
    readiness.reasons.push_back("the fleet port's certificate expired at " + FormatTime(ends));
  } else if (clock.Wall() >= ends - kRenewalNotice) {
    readiness.warnings.push_back("the fleet port's certificate expires at " + FormatTime(ends) +
                                 " and was not renewed: the log tells why");
  }
  front.Tell(readiness);
  return readiness;
}

}  // namespace

Result<std::unique_ptr<Daemon>> StartStore(const Config& config, const std::string& version) {
  const Log log = Log::ToStandardError(config.log_level);
  auto files = std::make_unique<PosixFileSystem>();
  TRY(Opened opened, Open(config, *files, log));
  auto daemon =
      std::make_unique<StoreDaemon>(config, log, std::move(files), std::move(opened), version);
  TRY_VOID(daemon->Start());
  return daemon;
}

Result<void> CheckStore(const Config& config) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(config.MetaFolder(), ignored)) {
    return NotInitialised(config.data);
  }
  // The domain stands in the metadata, which a running store has open; no file depends on it.
  TRY(const AuthorityFiles authority, LoadAuthorityFiles(config.PkiFolder(), {}));
  TRY(const LoadedCertificate certificate, LoadShown(config, authority));
  const auto users = ReadHtpasswdFile(config.access.htpasswd_file);
  if (!users.has_value()) return Error(users.error()).Within("access.htpasswd_file");
  return {};
}

}  // namespace outport::store
