#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/membership/config.h"
#include "node/membership/node_identity.h"
#include "node/membership/renewal.h"
#include "node/mirror.h"
#include "node/pulls/pull_reporter.h"
#include "node/replica/sync_client.h"
#include "registry/base/io_threads.h"
#include "registry/http/operations_server.h"
#include "registry/http/registry_front.h"
#include "registry/storage/disk/disk_blob_store.h"

namespace outport::node {

inline constexpr size_t kDiskThreads = 8;
inline constexpr size_t kWorkQueue = 4096;
inline constexpr size_t kPasswordQueue = 256;
inline constexpr size_t kSyncQueue = 64;

// The contents of the data folder. StartNode() opens them before it starts threads.
struct OpenedNode {
  NodeIdentity identity;
  LoadedCertificate certificate;
  FolderLock lock;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> blobs;
};

// Returns the files of the registry port: its certificate, and the authorities that issue the
// certificates of clients.
CertificateFiles FilesShown(const Config& config);

// The objects of a running node and how they refer to each other. The order of the members is the
// order of their dependence: each member outlives the members below it. StartNode() starts and
// stops them.
struct NodeParts {
  NodeParts(const Config& c, const Log& l, std::unique_ptr<PosixFileSystem> f, OpenedNode o,
            std::unique_ptr<AccessDirectory> d, std::unique_ptr<Replica> r, std::string version);

  // Safe for all threads.
  Readiness Ready() const;

  const Config config;
  const Log log;
  const std::unique_ptr<PosixFileSystem> files;
  const SystemClock clock;
  Metrics metrics;
  OpenedNode opened;
  // Shared with the callers of the store. The first channel is for short calls; the others carry
  // blobs.
  const std::vector<std::shared_ptr<StoreChannel>> channels;

  IoThreads io;
  BlockingPool disk{"disk", kDiskThreads, kWorkQueue, log};
  BlockingPool sync_pool{"sync", 1, kSyncQueue, log};
  BlockingPool passwords{"bcrypt", IoThreads::Cores(), kPasswordQueue, log};
  DiskWatch disk_watch{{.free_bytes = [this] { return opened.blobs->FreeBytes(); },
                        .pool = disk,
                        .metrics = metrics,
                        .log = log,
                        .disk = "this node's disk",
                        .effect = "the node caches no blobs and manifests",
                        .limits = config.disk}};
  TaskGroup tasks;

  const std::unique_ptr<AccessDirectory> directory;
  const std::unique_ptr<Replica> replica;
  Freshness freshness;
  SyncClient sync;
  PullRecorder pulls{
      [this] { return std::chrono::floor<std::chrono::milliseconds>(clock.SinceBoot()).count(); }};
  PullReporter pull_reporter;
  Mirror mirror;
  Authenticator authenticator;
  RegistryFront front;
  OperationsServer operations;
  Renewal renewal;
  TaskGroup renewing;
  std::atomic<bool> stopping = false;

 private:
  std::vector<std::string> Warnings() const;
  // Returns why the node could not answer pulls if the store became unreachable now. Returns
  // nullopt if the node could answer.
  std::optional<std::string> WhyDependsOnStore() const;
  void Describe(v1::NodeMessage::Ping& ping) const;
  PullReporter::Parts PullReporterParts();
  Mirror::Parts MirrorParts();
  void Reconnect();
};

}  // namespace outport::node
