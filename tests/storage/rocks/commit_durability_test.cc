#include <map>

#include "registry/records/keys.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/storage/durability.h"

namespace outport {
namespace {

namespace fs = std::filesystem;

// Blobs and metadata together, in the order of the store's commits: intent row, sync of the file,
// rename, sync of the folder, and one transaction that writes the blob's row and deletes the
// intent.
class CommitCase final : public DurabilityCase {
 public:
  explicit CommitCase(fs::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    auto meta = OpenMeta(disk);
    auto blobs = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!meta.has_value() || !blobs.has_value()) return;
    for (int i = 0; i < 3; ++i) {
      if (!Push(**meta, **blobs, "content " + std::to_string(i))) return;
    }
  }

  Losses Look(FaultDisk& disk) override {
    Losses losses;
    auto meta = OpenMeta(disk);
    auto blobs = DiskBlobStore::Open(disk.files(), root_, "uploads", BlobWrites::kDirect);
    if (!meta.has_value()) return {meta.error().message};
    if (!blobs.has_value()) return {blobs.error().message};
    for (const auto& [digest, content] : acknowledged_) {
      if (!(*meta)->Get(keys::Blob(digest))->has_value())
        losses.push_back(digest.hex() + " is lost");
    }
    const auto rows = (*meta)->Scan({.prefix = std::string(keys::kBlobs)});
    std::map<std::string, bool> known;  // objects that a row names
    for (const KeyValue& row : *rows) {
      known[row.value.substr(0, row.value.find(' '))] = true;
      CheckBlob(**blobs, row, losses);
    }
    for (const KeyValue& row : *(*meta)->Scan({.prefix = std::string(keys::kIntents)})) {
      known[std::string(keys::After(row.key, keys::kIntents))] = true;
    }
    CheckOrphans(known, losses);
    return losses;
  }

 private:
  Result<std::unique_ptr<MetaStore>> OpenMeta(FaultDisk& disk) const {
    return OpenRocksMetaStore({.folder = root_ / "meta", .env = disk.env()}, Log::Nowhere());
  }

  bool Push(MetaStore& meta, BlobStore& blobs, const std::string& content) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
    const auto writer = blobs.Create(DigestAlgorithm::kSha256, RandomHex(8));
    if (!writer.has_value() || !(*writer)->Append(AsBytes(content)).has_value()) return false;
    const std::string intent = keys::Intent((*writer)->object());
    {
      const auto transaction = meta.Begin();
      if (!transaction->Put(intent, "").has_value()) return false;
      if (!transaction->Commit().has_value()) return false;
    }
    const auto location = (*writer)->Commit(digest);
    if (!location.has_value()) return false;
    const auto transaction = meta.Begin();
    const std::string value = location->object + " " + content;
    if (!transaction->Put(keys::Blob(digest), value).has_value()) return false;
    if (!transaction->Delete(intent).has_value()) return false;
    transaction->Append(digest.ToString());
    if (!transaction->Commit().has_value()) return false;
    acknowledged_.emplace(digest, content);
    return true;
  }

  // The bytes that a row names exist, whether the row was acknowledged or not.
  static void CheckBlob(BlobStore& blobs, const KeyValue& row, Losses& losses) {
    const size_t space = row.value.find(' ');
    const std::string content = row.value.substr(space + 1);
    const BlobLocation location{
        row.value.substr(0, space), content.size(), {Crc32c(AsBytes(content))}};
    const auto reader = blobs.Open(location);
    if (!reader.has_value()) {
      losses.push_back(reader.error().message);
      return;
    }
    std::vector<std::byte> buffer(content.size());
    const auto size = (*reader)->Read(0, buffer);
    if (!size.has_value()) losses.push_back(size.error().message);
  }

  // A start does not scan the objects: an object that no row names must have an intent.
  void CheckOrphans(const std::map<std::string, bool>& known, Losses& losses) const {
    const fs::path blobs = root_ / "blobs";
    for (const auto& entry : fs::recursive_directory_iterator(blobs)) {
      const std::string object = entry.path().lexically_relative(blobs);
      if (entry.is_regular_file() && !known.contains(object)) {
        losses.push_back(object + " is not known to any row");
      }
    }
  }

  const fs::path root_;
  std::map<Digest, std::string> acknowledged_;
};

std::unique_ptr<DurabilityCase> MakeCommitCase(const fs::path& root) {
  return std::make_unique<CommitCase>(root);
}

TEST(I2DurableAfterAcknowledgement, PushesSurviveACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeCommitCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeCommitCase, Loss::kTornFiles);
}

TEST(I2DurableAfterAcknowledgement, EverySyncOfAPushIsNeeded) {
  const auto under = [](const char* folder, FaultKind kind) {
    return [folder = std::string("/") + folder + "/", kind](const FaultPoint& point) {
      return point.kind == kind && point.path.native().contains(folder);
    };
  };
  ExpectLossIfIgnored(&MakeCommitCase, "the blob file's", under("uploads", FaultKind::kSyncFile));
  ExpectLossIfIgnored(&MakeCommitCase, "the blob folder's",
                      under("sha256", FaultKind::kSyncFolder));
  ExpectLossIfIgnored(&MakeCommitCase, "the new folder's parent's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && point.path.filename() == "sha256";
  });
  ExpectLossIfIgnored(&MakeCommitCase, "the WAL's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.extension() == ".log";
  });
}

}  // namespace
}  // namespace outport
