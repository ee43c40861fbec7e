#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/replica/change_rows.h"
#include "registry/base/file.h"
#include "registry/base/task_group.h"
#include "registry/oci/manifest.h"
#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/rpc/channel.h"
#include "registry/security/password/password.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "store/relay/push_service.h"
#include "store/replication/read_blob.h"
#include "store/replication/replication_service.h"
#include "store/store_registry.h"
#include "tests/replication/loop.h"
#include "tests/support/fleet_credentials.h"
#include "tests/support/test_authority.h"

namespace outport {

// The store's replication service over a data folder and real gRPC. Its own small transactions make
// the changes: each writes a row and its change record.
class TestStore {
 public:
  struct Image {
    Digest digest;
    std::vector<Digest> blobs;
  };

  TestStore(Loop& loop, const TestAuthority& authority, const std::filesystem::path& folder,
            std::string epoch = "epoch-1")
      : loop_(loop),
        identity_(authority.Issue(Role::kStore, "store")),
        epoch_(std::move(epoch)),
        meta_(OpenMeta(folder)),
        blobs_(*DiskBlobStore::Open(files_, folder, "uploads", BlobWrites::kDirect)) {
    policy.set_max_staleness_ms(2000);
    policy.set_stale_if_error_ms(24 * 3600 * 1000);
    policy.set_serve_stale(true);
  }
  ~TestStore() {
    Stop();
    pool_.Stop();
    passwords_.Stop();
  }

  // Listens. After a Stop(), listens on the same port again.
  void Start() {
    tasks_ = std::make_unique<TaskGroup>(loop_.executor(), Log::Nowhere());
    read_blob_ =
        std::make_unique<store::ReadBlob>(content_.blobs, pool_, *tasks_, metrics, Log::Nowhere());
    service_ = std::make_unique<store::ReplicationService>(
        store::ReplicationService::Parts{.meta = *meta_,
                                         .content = content_,
                                         .directory = users,
                                         .members = members_,
                                         .blobs = *read_blob_,
                                         .pool = pool_,
                                         .tasks = *tasks_,
                                         .nodes = nodes,
                                         .clock = clock_,
                                         .store_clock = store_clock_,
                                         .metrics = metrics,
                                         .log = Log::Nowhere(),
                                         .identity = Identity(),
                                         .policy = policy,
                                         .access = &access_});
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port_),
                             rpc::FleetServerCredentials(identity_), &port_);
    builder.RegisterService(service_.get());
    push_ = std::make_unique<store::PushService>(
        store::PushService::Parts{.members = members_,
                                  .registry = registry_,
                                  .directory = users,
                                  .authenticator = authenticator_,
                                  .clock = clock_,
                                  .tasks = *tasks_,
                                  .metrics = metrics,
                                  .log = Log::Nowhere(),
                                  .identity = Identity()});
    builder.RegisterService(push_.get());
    builder.SetMaxReceiveMessageSize(rpc::kMaxMessageBytes);
    builder.SetMaxSendMessageSize(rpc::kMaxMessageBytes);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    EXPECT_TRUE(tasks_->DrainBlocking(std::chrono::steady_clock::now() + 10s));
    server_.reset();
    service_.reset();
    push_.reset();
    read_blob_.reset();
    tasks_.reset();
  }
  // The next Start() shows this certificate.
  void Show(const rpc::TlsIdentity& identity) { identity_ = identity; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  void UsePortOf(const TestStore& other) { port_ = other.port_; }

  void AddNode(const std::string& name, const std::vector<std::string>& allow = {}) {
    v1::NodeRow row;
    row.set_name(name);
    for (const std::string& grant : allow) *row.add_allow() = ToGrantRecord(*ParseGrant(grant));
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(transaction->Put(keys::Node(name), row.SerializeAsString()));
    ASSERT_TRUE(transaction->Commit());
    ASSERT_TRUE(members_.Follow(name));
  }
  void Publish(const std::vector<v1::Change>& changes) {
    const auto transaction = meta_->Begin();
    for (const v1::Change& change : changes) {
      const std::optional<node::RowChange> row = *node::ToRowChange(change);
      if (row.has_value()) {
        ASSERT_TRUE(row->value.has_value() ? transaction->Put(row->key, *row->value)
                                           : transaction->Delete(row->key));
      }
      transaction->Append(change.SerializeAsString());
    }
    ASSERT_TRUE(transaction->Commit());
  }

  void PublishUser(const std::string& name) {
    v1::Change change;
    change.mutable_user_set()->set_name(name);
    Publish({change});
  }
  void PublishRepository(const std::string& repository) {
    v1::Change change;
    change.mutable_repository()->set_repository(repository);
    Publish({change});
  }
  void PublishTag(const std::string& repository, const std::string& tag, const Digest& digest) {
    v1::Change change;
    change.mutable_tag_set()->set_repository(repository);
    change.mutable_tag_set()->set_tag(tag);
    change.mutable_tag_set()->mutable_row()->set_digest(digest.ToString());
    change.mutable_tag_set()->mutable_row()->set_media_type(std::string(media_type::kOciManifest));
    Publish({change});
  }
  void DeleteTag(const std::string& repository, const std::string& tag) {
    v1::Change change;
    change.mutable_tag_deleted()->set_repository(repository);
    change.mutable_tag_deleted()->set_tag(tag);
    Publish({change});
  }
  Digest PublishBlob(const std::string& repository, const std::string& bytes) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(bytes));
    auto writer = *blobs_->Create(digest);
    EXPECT_TRUE(writer->Append(AsBytes(bytes)));
    const BlobLocation location = *writer->Commit(digest);
    v1::BlobRow row;
    row.set_size_bytes(bytes.size());
    row.set_object(location.object);
    row.mutable_checksums()->Assign(location.checksums.begin(), location.checksums.end());
    const auto transaction = meta_->Begin();
    EXPECT_TRUE(transaction->Put(keys::Blob(digest), row.SerializeAsString()));
    EXPECT_TRUE(
        transaction->Put(keys::Linked(digest, *RepositoryName::Parse(repository)), std::string()));
    EXPECT_TRUE(transaction->Commit());
    v1::Change change;
    change.mutable_link()->set_repository(repository);
    change.mutable_link()->set_digest(digest.ToString());
    change.mutable_link()->mutable_row()->set_size_bytes(bytes.size());
    Publish({change});
    return digest;
  }
  Digest PublishManifest(const std::string& repository, const std::string& body,
                         std::string_view media_type) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(body));
    const auto transaction = meta_->Begin();
    EXPECT_TRUE(transaction->Put(keys::Content(digest), body));
    EXPECT_TRUE(transaction->Commit());
    v1::Change change;
    change.mutable_manifest_put()->set_repository(repository);
    change.mutable_manifest_put()->set_digest(digest.ToString());
    change.mutable_manifest_put()->mutable_row()->set_media_type(std::string(media_type));
    change.mutable_manifest_put()->mutable_row()->set_size_bytes(body.size());
    Publish({change});
    return digest;
  }
  // Pushes an image with a config and a layer that contain `content`.
  Image PublishImage(const std::string& repository, const std::string& content) {
    const std::string config = "config of " + content;
    const std::string layer = "layer of " + content;
    const Digest config_digest = PublishBlob(repository, config);
    const Digest layer_digest = PublishBlob(repository, layer);
    const std::string body =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)"
        R"({"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
        config_digest.ToString() + R"(","size":)" + std::to_string(config.size()) +
        R"(},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":")" +
        layer_digest.ToString() + R"(","size":)" + std::to_string(layer.size()) + "}]}";
    const Digest digest = PublishManifest(repository, body, media_type::kOciManifest);
    return {digest, {config_digest, layer_digest}};
  }

  // The real registry over the same rows.
  store::Manifests& manifests() { return content_.manifests; }
  store::Links& links() { return content_.links; }
  store::AccessFollower& access() { return access_; }
  // Adds a user to the store only; nodes do not receive it.
  void AddUser(const std::string& name, const std::string& password, const std::string& grant) {
    users.Set({name, *HashPassword(password, 4), {*ParseGrant(grant)}});
  }
  void RemoveNode(const std::string& name) {
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(transaction->Delete(keys::Node(name)));
    ASSERT_TRUE(transaction->Commit());
    ASSERT_TRUE(members_.Follow(name));
  }

  // The store's own answer.
  Registry& registry() { return registry_; }
  LogPosition Head() const { return *meta_->Head(); }
  MetaStore& meta() { return *meta_; }

  v1::FreshnessPolicy policy;  // read by Start()
  store::ConnectedNodes nodes;
  AccessDirectory users;
  Metrics metrics;
  store::LargeWrites large_writes{metrics, {}};

 private:
  store::StoreIdentity Identity() const { return {.epoch = epoch_, .domain = "outport"}; }

  Loop& loop_;
  rpc::TlsIdentity identity_;
  const std::string epoch_;
  int port_ = 0;
  PosixFileSystem files_;
  SystemClock clock_;
  store::StoreClock store_clock_{clock_};
  std::unique_ptr<MetaStore> meta_;
  store::MemberDirectory members_{*meta_, nodes};
  store::AccessFollower access_{*meta_, users};
  std::unique_ptr<DiskBlobStore> blobs_;
  store::Owner owner_{*meta_, store_clock_, store::Owner::Access::kExclusive};
  store::Content content_{{.meta = *meta_,
                           .bytes = *blobs_,
                           .clock = clock_,
                           .store_clock = store_clock_,
                           .owner = owner_,
                           .metrics = metrics,
                           .log = Log::Nowhere()}};
  BlockingPool pool_{"store", 4, 1000};
  BlockingPool passwords_{"bcrypt", 2, 100};
  Authenticator authenticator_{users, passwords_, clock_, metrics, {}};
  store::Uploads uploads_{{.meta = *meta_,
                           .bytes = *blobs_,
                           .blobs = content_.blobs,
                           .disk = pool_,
                           .clock = clock_,
                           .store_clock = store_clock_,
                           .owner = owner_,
                           .metrics = metrics,
                           .log = Log::Nowhere(),
                           .boot_id = "boot"}};
  PullRecorder pulls_{[this] { return store_clock_.NowMs(); }};
  store::StoreRegistry registry_{{.content = content_,
                                  .uploads = uploads_,
                                  .disk = pool_,
                                  .large_writes = large_writes,
                                  .pulls = pulls_,
                                  .metrics = metrics,
                                  .log = Log::Nowhere()}};
  std::unique_ptr<TaskGroup> tasks_;
  std::unique_ptr<store::ReadBlob> read_blob_;
  std::unique_ptr<store::ReplicationService> service_;
  std::unique_ptr<store::PushService> push_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace outport
