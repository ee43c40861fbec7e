#include <vector>

#include "node/replica/change_rows.h"
#include "node/replica/replica.h"
#include "node/replica/replica_rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/replication/change_hash.h"
#include "tests/storage/durability.h"

namespace outport::node {
namespace {

constexpr uint64_t kSnapshotAt = 7;
constexpr uint64_t kBatches = 4;

v1::Change Tag(uint64_t sequence) {
  v1::Change change;
  change.mutable_tag_set()->set_repository("r");
  change.mutable_tag_set()->set_tag("t" + std::to_string(sequence));
  return change;
}

// A batch of one change after `position`.
v1::StoreMessage::Batch Following(const v1::Position& position) {
  v1::StoreMessage::Batch batch;
  batch.set_from(position.sequence());
  batch.set_to(position.sequence() + 1);
  *batch.add_changes() = Tag(batch.to());
  batch.set_hash(NextHash(position.hash(), batch.changes(0).SerializeAsString()));
  return batch;
}

v1::StoreMessage::SnapshotPart Snapshot() {
  v1::StoreMessage::SnapshotPart part;
  part.mutable_position()->set_epoch("e");
  part.mutable_position()->set_sequence(kSnapshotAt);
  part.mutable_position()->set_hash(std::string(32, 'h'));
  *part.add_rows() = Tag(kSnapshotAt);
  part.set_last(true);
  return part;
}

// A node that applies a snapshot and the store's policy, if it has none, and then batches. The node
// acknowledges the replica's position to the store and bases its answers on it.
class ReplicaCase final : public DurabilityCase {
 public:
  explicit ReplicaCase(const std::filesystem::path& root) : folder_(root / "meta") {}

  void Work(FaultDisk& disk) override {
    auto meta = OpenRocksMetaStore({.folder = folder_, .env = disk.env()}, Log::Nowhere());
    if (!meta.has_value()) return;
    AccessDirectory users;
    const auto replica = Replica::Open(**meta, users);
    if (!replica.has_value()) return;
    if ((*replica)->position().epoch().empty()) {
      if (!(*replica)->ApplySnapshot(Snapshot()).has_value()) return;
      applied_ = (*replica)->position().sequence();
    }
    if ((*meta)->WhyReadOnly().has_value()) return;
    v1::StoreMessage::Welcome welcome;
    v1::FreshnessPolicy& policy = *welcome.mutable_policy();
    policy.set_max_staleness_ms((*replica)->policy().max_staleness_ms() + 1);
    if (!(*replica)->SetTerms(welcome).has_value()) return;
    if ((*meta)->WhyReadOnly().has_value())
      return;  // the proof is valid although it was not written
    staleness_ms_ = policy.max_staleness_ms();
    for (uint64_t i = 0; i < kBatches; ++i) {
      if (!(*replica)->Apply(Following((*replica)->position())).has_value()) return;
      applied_ = (*replica)->position().sequence();
    }
  }

  Losses Look(FaultDisk& disk) override {
    auto meta = OpenRocksMetaStore({.folder = folder_, .env = disk.env()}, Log::Nowhere());
    if (!meta.has_value()) return {meta.error().message};
    AccessDirectory users;
    const auto replica = Replica::Open(**meta, users);
    if (!replica.has_value()) return {replica.error().message};
    Losses losses;
    const uint64_t sequence = (*replica)->position().sequence();
    if (sequence < applied_) {
      losses.push_back("applied up to " + std::to_string(applied_) + ", back at " +
                       std::to_string(sequence));
    }
    if ((*replica)->policy().max_staleness_ms() < staleness_ms_) {
      losses.push_back("the store's policy is lost");
    }
    const auto tags = ReplicaRows(**meta).ListTags(*RepositoryName::Parse("r"), "", 100);
    const size_t expected = sequence == 0 ? 0 : sequence - kSnapshotAt + 1;
    if (!tags.has_value() || tags->names.size() != expected) {
      losses.push_back("the rows are not those of the position (I10)");
    }
    return losses;
  }

 private:
  const std::filesystem::path folder_;
  uint64_t applied_ = 0;
  int64_t staleness_ms_ = 0;
};

std::unique_ptr<DurabilityCase> MakeReplicaCase(const std::filesystem::path& root) {
  return std::make_unique<ReplicaCase>(root);
}

TEST(I10ReplicaOutlivesAPowerCut, AtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeReplicaCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeReplicaCase, Loss::kTornFiles);
}

TEST(I10ReplicaOutlivesAPowerCut, AfterARestart) {
  ExpectNothingLostAfterARestart(&MakeReplicaCase);
}

TEST(I10ReplicaOutlivesAPowerCut, ByTheSyncOfItsLog) {
  ExpectLossIfIgnored(&MakeReplicaCase, "the WAL's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.extension() == ".log";
  });
}

}  // namespace
}  // namespace outport::node
