#include "registry/storage/disk/disk_blob_store.h"

#include <map>

#include "tests/storage/durability.h"

namespace outport {
namespace {

std::string Content(int i) {
  return "blob " + std::to_string(i) + std::string(i % 2 == 0 ? 10 : kChecksumBlockBytes, 'x');
}

// Writes some blobs; one has another algorithm and is synced later.
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
    if (const auto clean = (*store)->DiscardUncommitted({}); !clean.has_value()) {
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

// Writes two uploads, one of them in several chunks, with a checkpoint after each chunk.
class UploadCase final : public DurabilityCase {
 public:
  explicit UploadCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    auto store = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!store.has_value()) return;
    if (!Upload(**store, "short" + serial_, 1)) return;
    static_cast<void>(Upload(**store, "long" + serial_, 3));
  }

  Losses Look(FaultDisk& disk) override {
    Losses losses;
    auto store = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!store.has_value()) return {store.error().message};
    for (const auto& [name, size] : acknowledged_) {
      const std::string content = Whole(name).substr(0, size);
      const auto writer = (*store)->Resume(DigestAlgorithm::kSha256, name, size);
      if (!writer.has_value()) {
        losses.push_back(writer.error().message);
      } else if (const auto left = (*writer)->Reread(UINT64_MAX); !left.has_value()) {
        losses.push_back(left.error().message);
      } else if ((*writer)->Current(DigestAlgorithm::kSha256) !=
                 Digest::Of(DigestAlgorithm::kSha256, AsBytes(content))) {
        losses.push_back(name + " has another content");
      }
    }
    return losses;
  }

 private:
  static std::string Whole(const std::string& name) {
    return Content(1) + name + Content(3) + Content(5);
  }

  bool Upload(DiskBlobStore& store, const std::string& name, size_t chunks) {
    const auto writer = store.Create(DigestAlgorithm::kSha256, name);
    if (!writer.has_value()) return false;
    const std::string whole = Whole(name);
    const size_t chunk = whole.size() / chunks;
    for (size_t size = 0; size < whole.size(); size += chunk) {
      const std::string_view piece = std::string_view(whole).substr(size, chunk);
      if (!(*writer)->Append(AsBytes(piece)).has_value()) return false;
      if (!(*writer)->Checkpoint().has_value()) return false;
      acknowledged_[name] = (*writer)->size_bytes();
    }
    return true;
  }

  const std::filesystem::path root_;
  const std::string serial_ = RandomHex(4);  // another process chooses other names
  std::map<std::string, uint64_t> acknowledged_;
};

std::unique_ptr<DurabilityCase> MakeUploadCase(const std::filesystem::path& root) {
  return std::make_unique<UploadCase>(root);
}

TEST(UploadsSurviveAPowerCut, UpToTheirLastCheckpoint) {
  ExpectNothingLostAtAnyCut(&MakeUploadCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeUploadCase, Loss::kTornFiles);
  ExpectNothingLostAfterARestart(&MakeUploadCase);
}

TEST(UploadsSurviveAPowerCut, OnlyByBothSyncsOfACheckpoint) {
  ExpectLossIfIgnored(&MakeUploadCase, "the file's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.parent_path().filename() == "uploads";
  });
  ExpectLossIfIgnored(&MakeUploadCase, "the folder's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && point.path.filename() == "uploads";
  });
}

// Writes some blobs, and removes them in one batch.
class RemovalCase final : public DurabilityCase {
 public:
  explicit RemovalCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    auto store = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!store.has_value()) return;
    std::vector<std::string> objects;
    for (int i = 0; i < 4; ++i) {
      const std::string content = Content(i);
      const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
      const auto writer = (*store)->Create(digest);
      if (!writer.has_value() || !(*writer)->Append(AsBytes(content)).has_value()) return;
      const auto location = (*writer)->Commit(digest);
      if (!location.has_value()) return;
      objects.push_back(location->object);
    }
    if ((*store)->Remove(objects, BlobWriter::SyncWhen::kNow).has_value()) removed_ = objects;
  }

  Losses Look(FaultDisk&) override {
    Losses losses;
    for (const std::string& object : removed_) {
      if (std::filesystem::exists(root_ / "blobs" / object)) losses.push_back(object + " is back");
    }
    return losses;
  }

 private:
  const std::filesystem::path root_;
  std::vector<std::string> removed_;
};

std::unique_ptr<DurabilityCase> MakeRemovalCase(const std::filesystem::path& root) {
  return std::make_unique<RemovalCase>(root);
}

TEST(RemovalsSurviveAPowerCut, AtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeRemovalCase, Loss::kAllUnsynced);
  ExpectNothingLostAfterARestart(&MakeRemovalCase);
}

TEST(RemovalsSurviveAPowerCut, OnlyByTheSyncOfTheirFolders) {
  uint64_t folders = 0;
  ExpectLossIfIgnored(&MakeRemovalCase, "the removal's", [&](const FaultPoint& point) {
    // A commit syncs the folder of its object once; a fifth sync of such a folder is the removal's.
    const bool blobs = point.path.parent_path().parent_path().filename() == "blobs";
    return point.kind == FaultKind::kSyncFolder && blobs && ++folders > 4;
  });
}

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
