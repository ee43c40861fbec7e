#pragma once

#include <memory>
#include <string>

#include "node/mirror.h"
#include "node/pulls/pull_reporter.h"
#include "node/replica/sync_client.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "tests/replication/test_store.h"

namespace outport {

struct TestNodeDisk {
  rocksdb::Env* env = nullptr;  // for the metadata; nullptr: the real disk
  uint64_t headroom_bytes = 0;
};

// A node without ports: a replica that follows a TestStore, and the Registry over it.
class TestNode {
 public:
  TestNode(Loop& loop, const rpc::TlsIdentity& identity, const std::filesystem::path& folder,
           const std::string& store, const Clock& clock, bool read_only = false,
           const TestNodeDisk& disk = {})
      : loop_(loop),
        meta_(OpenMeta(folder, disk.env)),
        blobs_(*DiskBlobStore::Open(files_, folder, "fetch", BlobWrites::kCached)),
        channel_(std::make_shared<node::StoreChannel>(rpc::Dial(store, identity, true))),
        tasks_(loop.executor(), Log::ToStandardError(LogLevel::kError)),
        replica_(*node::Replica::Open(*meta_, users)),
        freshness_(clock, replica_->proven_ms()),
        clock_(clock),
        sync_({.channel = channel_,
               .replica = *replica_,
               .freshness = freshness_,
               .pool = sync_pool_,
               .tasks = tasks_,
               .clock = clock,
               .metrics = metrics,
               .log = Log::Nowhere(),
               .version = "test",
               .add_status = [](v1::NodeMessage::Ping&) {},
               .on_epoch = [this](const std::string& epoch) { mirror_.BeginEpoch(epoch); },
               .on_trust = [](const v1::TrustRow&) {},
               .on_tombstones =
                   [this](std::vector<Digest> digests) {
                     mirror_.DropTombstoned(std::move(digests));
                   },
               .drop_copies =
                   [this](std::vector<node::CopyName> copies) {
                     return mirror_.DropUnlinked(std::move(copies));
                   }}),
        mirror_({.channel = channel_,
                 .blob_channels = {std::make_shared<node::StoreChannel>(
                     rpc::Dial(store, identity, true))},
                 .meta = *meta_,
                 .blobs = *blobs_,
                 .headroom_bytes = disk.headroom_bytes,
                 .replica = *replica_,
                 .pulls = pulls_,
                 .freshness = freshness_,
                 .pool = pool_,
                 .tasks = tasks_,
                 .clock = clock,
                 .metrics = metrics,
                 .log = Log::Nowhere(),
                 .store_name = "store",
                 .read_only = read_only,
                 .store_is_connected = [this] { return sync_.IsConnected(); }}),
        rows_(*meta_) {
    EXPECT_TRUE(mirror_.Recover());
    sync_.Start();
  }
  ~TestNode() {
    mirror_.Stop();
    sync_.Stop();
    if (pull_reporter_ != nullptr) pull_reporter_->Stop();
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + 10s));
    pool_.Stop();
    sync_pool_.Stop();
  }

  PullRecorder& pulls() { return pulls_; }
  // Reports the pulls to the store, all the time.
  void StartReports() {
    constexpr std::chrono::milliseconds kSoon{20};
    pull_reporter_ = std::make_unique<node::PullReporter>(
        node::PullReporter::Parts{.channel = channel_,
                                  .pulls = pulls_,
                                  .meta = *meta_,
                                  .pool = pool_,
                                  .tasks = tasks_,
                                  .clock = clock_,
                                  .metrics = metrics,
                                  .log = Log::Nowhere(),
                                  .store_is_connected = [this] { return sync_.IsConnected(); },
                                  .intervals = {.check = kSoon,
                                                .flush = kSoon,
                                                .report = kSoon,
                                                .empty_report = kSoon,
                                                .longest_backoff = 10 * kSoon}});
    pull_reporter_->Start();
  }
  // Stops replication. The node can still call the store.
  void StopSync() {
    sync_.Stop();
    EXPECT_TRUE(Eventually([this] { return !sync_.IsConnected(); }));
  }
  bool IsConnected() const { return sync_.IsConnected(); }
  uint64_t sequence() const { return replica_->position().sequence(); }
  bool HasReached(const TestStore& store) const {
    const LogPosition head = store.Head();
    return replica_->position().sequence() == head.sequence &&
           replica_->position().hash() == AsText(head.hash);
  }
  // Whether the replica is up to date, and a proof of freshness says so.
  bool Follows(const TestStore& store) const {
    const auto age = freshness_.Staleness();
    return HasReached(store) && IsConnected() && age.has_value() && *age < 2s;
  }
  double Count(const std::string& name, const Metrics::Labels& labels = {}) {
    return metrics.Counter(name, "", labels).Value();
  }
  double Snapshots() { return Count("outport_node_snapshots_applied_total"); }
  double Resolves() {
    return Count("outport_node_resolves_total", {{"result", "found"}}) +
           Count("outport_node_resolves_total", {{"result", "absent"}}) +
           Count("outport_node_resolves_total", {{"result", "failed"}});
  }

  Result<StoredManifest> Get(const std::string& repository, const std::string& reference) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<StoredManifest>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      const Reference parsed = *ParseReference(reference);
      co_return co_await mirror_.registry().GetManifest(caller_, name, parsed);
    });
  }
  // `min_sequence`: the answer must include this change.
  Result<ManifestInfo> Stat(const std::string& repository, const std::string& reference,
                            uint64_t min_sequence = 0) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<ManifestInfo>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      const Reference parsed = *ParseReference(reference);
      Caller caller = caller_;
      caller.min_sequence = min_sequence;
      co_return co_await mirror_.registry().StatManifest(caller, name, parsed);
    });
  }
  Result<std::string> ReadBlob(const std::string& repository, const Digest& digest) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<std::string>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      CO_TRY(const auto body, co_await mirror_.registry().OpenBlob(caller_, name, digest));
      std::string content;
      while (content.size() < body->info().size_bytes) {
        CO_TRY(const Bytes bytes, co_await body->Read(content.size(), 1 << 20));
        content += AsText(bytes);
      }
      co_return content;
    });
  }
  Result<Page> ListTags(const std::string& repository, const PageRequest& page = {"", 100},
                        uint64_t min_sequence = 0) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Page>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      Caller caller = caller_;
      caller.min_sequence = min_sequence;
      co_return co_await mirror_.registry().ListTags(caller, name, page);
    });
  }
  Result<Page> ListRepositories(
      const PageRequest& page = {"", 100},
      const Visible& visible = [](const RepositoryName&) { return true; }) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<Page>> {
      co_return co_await mirror_.registry().ListRepositories(caller_, page, visible);
    });
  }
  Result<ReferrersPage> ListReferrers(const std::string& repository, const Digest& subject,
                                      const std::string& type = "",
                                      const PageRequest& page = {"", 100}) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<ReferrersPage>> {
      const RepositoryName name = *RepositoryName::Parse(repository);
      co_return co_await mirror_.registry().ListReferrers(caller_, name, subject, type, page);
    });
  }
  void PullWhole(const std::string& repository, const TestStore::Image& image) {
    EXPECT_TRUE(Get(repository, image.digest.ToString()));
    for (const Digest& blob : image.blobs) EXPECT_TRUE(ReadBlob(repository, blob));
  }
  // As above, and waits for the rows of the copies, which follow the last byte to the reader.
  void PullAndKeep(const std::string& repository, const TestStore::Image& image) {
    PullWhole(repository, image);
    for (const Digest& blob : image.blobs) EXPECT_TRUE(Eventually([&] { return IsCached(blob); }));
  }
  bool IsCached(const Digest& digest) {
    const auto row = meta_->Get(keys::Cached(digest));
    return row.has_value() && row->has_value();
  }
  Registry& registry() { return mirror_.registry(); }
  const node::ReplicaRows& rows() const { return rows_; }
  MetaStore& meta() { return *meta_; }

  AccessDirectory users;
  Metrics metrics;

 private:
  Loop& loop_;
  const Caller caller_{.user = "u", .certificate_name = "c", .address = "a", .request_id = "r-1"};
  PosixFileSystem files_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<DiskBlobStore> blobs_;
  std::shared_ptr<node::StoreChannel> channel_;
  BlockingPool pool_{"node", 4, 1000};
  BlockingPool sync_pool_{"sync", 1, 64};
  TaskGroup tasks_;
  std::unique_ptr<node::Replica> replica_;
  node::Freshness freshness_;
  const Clock& clock_;
  PullRecorder pulls_{
      [this] { return std::chrono::floor<std::chrono::milliseconds>(clock_.SinceBoot()).count(); }};
  node::SyncClient sync_;
  node::Mirror mirror_;
  std::unique_ptr<node::PullReporter> pull_reporter_;
  node::ReplicaRows rows_;
};

// A store that has one node as a member.
class FleetTest : public testing::Test {
 protected:
  FleetTest() {
    store_ = std::make_unique<TestStore>(loop_, authority_, folder_.path() / "store");
    store_->AddNode("eu-west");
    store_->PublishRepository("library/app");
    store_->Start();
  }
  std::unique_ptr<TestNode> StartNode(bool read_only = false) {
    return std::make_unique<TestNode>(loop_, identity_, folder_.path() / "node", store_->address(),
                                      clock_, read_only);
  }
  // Starts a node that follows the store.
  std::unique_ptr<TestNode> JoinNode() {
    auto node = StartNode();
    EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
    return node;
  }
  static Digest DigestOf(const std::string& text) {
    return Digest::Of(DigestAlgorithm::kSha256, AsBytes(text));
  }

  static constexpr const char* kApp = "library/app";
  Loop loop_;
  TemporaryFolder folder_;
  TestAuthority authority_;
  const rpc::TlsIdentity identity_ = authority_.Issue(Role::kNode, "eu-west");
  ShiftedClock clock_;
  std::unique_ptr<TestStore> store_;
};

}  // namespace outport
