#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "registry/storage/disk_blob_store.h"
#include "registry/storage/rocks_meta_store.h"
#include "store/content.h"
#include "tests/store/manual_clock.h"

namespace outport::store {

// A data folder of its own, gone with the object.
class DataFolder {
 public:
  DataFolder()
      : path_(std::filesystem::path(testing::TempDir()) / ("outport-store-" + RandomHex(8))) {
    std::filesystem::create_directories(path_);
  }
  ~DataFolder() { std::filesystem::remove_all(path_); }
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Every file under a folder of it.
  std::vector<std::filesystem::path> Files(const std::string& folder) const {
    std::vector<std::filesystem::path> found;
    std::error_code ignored;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(path_ / folder, ignored)) {
      if (entry.is_regular_file()) found.push_back(entry.path());
    }
    return found;
  }

 private:
  const std::filesystem::path path_;
};

inline RepositoryName Repo(const std::string& name) { return *RepositoryName::Parse(name); }
inline Reference Ref(const std::string& text) { return *ParseReference(text); }
inline Digest Sha256(const std::string& text) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(text));
}

// An image manifest over blobs of these contents: the first is the config.
std::string ImageManifest(const std::vector<std::string>& blobs, const std::string& extra = "");
// An index over these manifests.
std::string IndexManifest(const std::vector<std::string>& manifests);

// The store's content over RocksDB and a disk, with the verbs of a test.
class TestContent {
 public:
  TestContent() { Open(); }

  // Ends and opens again what is on the disk, as a new process would.
  void Reopen();

  // What a push of one blob does, in one piece.
  Result<PushedBlob> PushBlob(const std::string& repository, const std::string& bytes);
  Result<PushedBlob> PushBlobAs(const std::string& repository, const std::string& bytes,
                                const Digest& digest);
  Result<PushedManifest> PushManifest(const std::string& repository, const std::string& reference,
                                      const std::string& body);
  // An image of these blobs, pushed whole.
  Result<PushedManifest> PushImage(const std::string& repository, const std::string& tag,
                                   const std::vector<std::string>& blobs);

  // All of a blob, as a client would get it.
  Result<std::string> PullBlob(const std::string& repository, const Digest& digest);
  Result<StoredManifest> PullManifest(const std::string& repository, const std::string& reference);

  uint64_t Head() const { return meta->Head()->sequence; }

  DataFolder folder;
  ManualClock clock;
  PosixFileSystem files;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> bytes;
  std::unique_ptr<Content> content;

 private:
  void Open();
};

// The code of a failure, for comparisons; kInternal with a test failure if it is none.
template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

}  // namespace outport::store
