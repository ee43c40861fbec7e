#include "registry/storage/disk/disk_blob_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/contract/blob_store_contract.h"
#include "tests/contract/blob_store_upload_contract.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

class DiskHome final : public BlobStoreHome {
 public:
  explicit DiskHome(BlobWrites writes = BlobWrites::kDirect) : writes_(writes) { Reopen(); }
  BlobStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    auto opened = DiskBlobStore::Open(files_, folder_.path(), "uploads", writes_);
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = *std::move(opened);
  }
  void FlipBit(const std::string& object, uint64_t offset) override {
    std::fstream file(folder_.path() / "blobs" / object);
    file.seekg(static_cast<std::streamoff>(offset));
    const int byte = file.get();
    ASSERT_TRUE(file.good());
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(static_cast<char>(byte ^ 1));
  }
  void CutTo(const std::string& object, uint64_t size_bytes) override {
    std::filesystem::resize_file(folder_.path() / "blobs" / object, size_bytes);
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  const BlobWrites writes_;
  const TemporaryFolder folder_;
  PosixFileSystem files_;
  std::unique_ptr<DiskBlobStore> store_;
};

template <BlobWrites writes>
std::unique_ptr<BlobStoreHome> MakeDiskHome() {
  return std::make_unique<DiskHome>(writes);
}
INSTANTIATE_TEST_SUITE_P(Disk, BlobStoreContract,
                         testing::Values(&MakeDiskHome<BlobWrites::kCached>));
INSTANTIATE_TEST_SUITE_P(DirectDisk, BlobStoreContract,
                         testing::Values(&MakeDiskHome<BlobWrites::kDirect>));

INSTANTIATE_TEST_SUITE_P(Disk, BlobStoreUploadContract,
                         testing::Values(&MakeDiskHome<BlobWrites::kCached>));
INSTANTIATE_TEST_SUITE_P(DirectDisk, BlobStoreUploadContract,
                         testing::Values(&MakeDiskHome<BlobWrites::kDirect>));

TEST(DiskBlobStore, AFileThatCannotBeRemovedDoesNotKeepTheOthers) {
  DiskHome home;
  std::vector<std::string> objects;
  for (const char* content : {"a", "b", "c"}) {
    auto writer = *home.store().Create(DigestOf(content));
    ASSERT_TRUE(writer->Append(AsBytes(std::string_view(content))).has_value());
    objects.push_back(writer->Commit(DigestOf(content))->object);
  }
  const std::filesystem::path stuck = home.path() / "blobs" / objects[1];
  std::filesystem::remove(stuck);
  std::filesystem::create_directories(stuck / "full");
  const Result<void> removed = home.store().Remove(objects);
  ASSERT_FALSE(removed.has_value());
  EXPECT_TRUE(removed.error().message.contains(objects[1])) << removed.error().message;
  EXPECT_FALSE(std::filesystem::exists(home.path() / "blobs" / objects[0]));
  EXPECT_FALSE(std::filesystem::exists(home.path() / "blobs" / objects[2]));
  std::filesystem::remove_all(stuck);
  EXPECT_TRUE(home.store().Remove(objects).has_value());
}

TEST(DiskBlobStore, LaysBlobsOutAsItsHeaderSays) {
  DiskHome home;
  const Digest digest = DigestOf("abc");
  auto writer = home.store().Create(digest);
  ASSERT_TRUE(writer.has_value());
  ASSERT_TRUE((*writer)->Append(AsBytes("abc")).has_value());
  const auto location = (*writer)->Commit(digest);
  ASSERT_TRUE(location.has_value());
  EXPECT_TRUE(location->object.starts_with("sha256/ba/" + digest.hex() + "."));
  EXPECT_TRUE(std::filesystem::exists(home.path() / "blobs" / location->object));

  ASSERT_TRUE(home.store().Quarantine(location->object).has_value());
  std::string name = location->object;
  std::ranges::replace(name, '/', '_');
  EXPECT_TRUE(std::filesystem::exists(home.path() / "quarantine" / name));
}

TEST(DiskBlobStore, DiscardsWhatADeadProcessLeftPending) {
  DiskHome home;
  std::ofstream(home.path() / "uploads" / "left-over") << "half a blob";
  ASSERT_TRUE(home.store().DiscardUncommitted({}).has_value());
  EXPECT_TRUE(std::filesystem::is_empty(home.path() / "uploads"));
}

TEST(DiskBlobStore, LeavesNothingPendingBehind) {
  DiskHome home;
  {
    auto committed = home.store().Create(DigestOf("abc"));
    ASSERT_TRUE((*committed)->Append(AsBytes("abc")).has_value());
    ASSERT_TRUE((*committed)->Commit(DigestOf("abc")).has_value());
    auto dropped = home.store().Create(DigestOf("abcd"));
    auto upload = home.store().Create(DigestAlgorithm::kSha512, "u1");
    ASSERT_TRUE(home.store().Discard("u1").has_value());
    auto refused = home.store().Create(DigestOf("abc"));
    EXPECT_FALSE((*refused)->Commit(DigestOf("abc")).has_value());
  }
  EXPECT_TRUE(std::filesystem::is_empty(home.path() / "uploads"));
}

}  // namespace
}  // namespace outport
