#include "registry/storage/disk_blob_store.h"
#include "tests/storage/durability.h"

namespace outport {
namespace {

std::string Content(int i) {
  return "blob " + std::to_string(i) + std::string(i % 2 == 0 ? 10 : kChecksumBlockBytes, 'x');
}

// Writes a few blobs, one of them of another algorithm and synced later.
class BlobCase final : public DurabilityCase {
 public:
  explicit BlobCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    auto store = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!store.has_value()) return;
    for (int i = 0; i < 4; ++i) {
      if (!Put(**store, Content(i), i == 3)) return;
    }
  }

  Losses Look(FaultDisk& disk) override {
    Losses losses;
    auto store = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!store.has_value()) return {store.error().message};
    if (const auto clean = (*store)->DiscardUncommitted(); !clean.has_value()) {
      losses.push_back(clean.error().message);
    }
    for (const auto& [location, content] : acknowledged_) {
      const auto reader = (*store)->Open(location);
      if (!reader.has_value()) {
        losses.push_back(reader.error().message);
        continue;
      }
      std::vector<std::byte> buffer(2 * kChecksumBlockBytes);
      const auto size = (*reader)->Read(0, buffer);
      if (!size.has_value()) {
        losses.push_back(size.error().message);
      } else if (AsText(Bytes(buffer).first(*size)) != content) {
        losses.push_back(location.object + " has another content");
      }
    }
    return losses;
  }

 private:
  bool Put(DiskBlobStore& store, const std::string& content, bool later) {
    const Digest digest =
        Digest::Of(later ? DigestAlgorithm::kSha512 : DigestAlgorithm::kSha256, AsBytes(content));
    const auto writer = store.Create(digest);
    if (!writer.has_value() || !(*writer)->Append(AsBytes(content)).has_value()) return false;
    using SyncWhen = BlobWriter::SyncWhen;
    const auto location = (*writer)->Commit(digest, later ? SyncWhen::kLater : SyncWhen::kNow);
    if (!location.has_value()) return false;
    if (later && !store.Sync(location->object).has_value()) return false;
    acknowledged_.emplace_back(*location, content);
    return true;
  }

  const std::filesystem::path root_;
  std::vector<std::pair<BlobLocation, std::string>> acknowledged_;
};

std::unique_ptr<DurabilityCase> MakeBlobCase(const std::filesystem::path& root) {
  return std::make_unique<BlobCase>(root);
}

TEST(I2DurableAfterAcknowledgement, BlobsSurviveACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeBlobCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeBlobCase, Loss::kTornFiles);
}

TEST(I2DurableAfterAcknowledgement, BlobsSurviveACutAfterARestart) {
  ExpectNothingLostAfterARestart(&MakeBlobCase);
}

TEST(I2DurableAfterAcknowledgement, EverySyncOfABlobCommitIsNeeded) {
  const auto in = [](const char* folder, FaultKind kind) {
    return [folder, kind](const FaultPoint& point) {
      return point.kind == kind && point.path.parent_path().filename() == folder;
    };
  };
  const auto at = [](const char* folder) {
    return [folder](const FaultPoint& point) {
      return point.kind == FaultKind::kSyncFolder && point.path.filename() == folder;
    };
  };
  ExpectLossIfIgnored(&MakeBlobCase, "the file's", in("uploads", FaultKind::kSyncFile));
  ExpectLossIfIgnored(&MakeBlobCase, "that of a file synced later", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.native().contains("/blobs/");
  });
  ExpectLossIfIgnored(&MakeBlobCase, "the blob folder's", in("sha256", FaultKind::kSyncFolder));
  ExpectLossIfIgnored(&MakeBlobCase, "the new folder's parent's", at("sha256"));
  ExpectLossIfIgnored(&MakeBlobCase, "the algorithm folder's parent's", at("blobs"));
  ExpectLossIfIgnored(&MakeBlobCase, "the data folder's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && IsTemporaryFolder(point.path);
  });
}

}  // namespace
}  // namespace outport
