#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/content/repository_content.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {

inline RepositoryName Repo(const std::string& name) { return *RepositoryName::Parse(name); }
inline Reference Ref(const std::string& text) { return *ParseReference(text); }
inline Digest Sha256(const std::string& text) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(text));
}

// Returns an image manifest of blobs with these contents; the first one is the config.
std::string ImageManifest(const std::vector<std::string>& blobs, const std::string& extra = "");
// Returns an index of these manifests.
std::string IndexManifest(const std::vector<std::string>& manifests);
// An index that lists other indexes. The note makes it unique, and large.
std::string OuterIndex(const std::vector<std::string>& inner, const std::string& note = "");

// Returns the member of a manifest that names its subject, for `extra` of ImageManifest.
std::string SubjectJson(const Digest& subject);
// The actor of all changes.
inline const Actor kAnn{.kind = "user", .name = "ann", .certificate_name = "desktop"};
inline const Visible kEverywhere = [](const RepositoryName&) { return true; };

// Returns every file under a folder.
std::vector<std::filesystem::path> FilesUnder(const std::filesystem::path& folder);

// The store's content over RocksDB and a disk, with helpers for tests.
class TestContent {
 public:
  // Open, in its own folder.
  TestContent();
  // Closed, in `root` on a simulated disk.
  TestContent(std::filesystem::path root, FileSystem& files, rocksdb::Env* env);

  // Opens the stores on the disk, as a new process does.
  Result<void> Open();
  void Close();
  void Reopen();

  // Pushes one blob in one piece.
  Result<PushedBlob> PushBlob(const std::string& repository, const std::string& bytes);
  Result<PushedBlob> PushBlobAs(const std::string& repository, const std::string& bytes,
                                const Digest& digest);
  Result<PushedManifest> PushManifest(const std::string& repository, const std::string& reference,
                                      const std::string& body);
  // Pushes these blobs and an image of them.
  Result<PushedManifest> PushImage(const std::string& repository, const std::string& tag,
                                   const std::vector<std::string>& blobs);

  // Pushes a manifest by its sha256 digest, with these tags.
  Result<PushedManifest> PushTagged(const std::string& repository, const std::string& body,
                                    const std::vector<std::string>& tags);
  Result<Deleted> DeleteManifest(const std::string& repository, const std::string& reference);
  Result<Deleted> DeleteBlob(const std::string& repository, const std::string& bytes);
  // An empty `from` means any repository.
  Result<PushedBlob> Mount(const std::string& repository, const std::string& bytes,
                           const std::string& from, const Visible& visible = kEverywhere);
  // Returns the digests of the referrers of `subject`, in one page.
  std::vector<Digest> Referrers(const std::string& repository, const Digest& subject);

  // Returns a whole blob, as a client gets it.
  Result<std::string> PullBlob(const std::string& repository, const Digest& digest);
  Result<StoredManifest> PullManifest(const std::string& repository, const std::string& reference);

  uint64_t Head() const { return meta->Head()->sequence; }

  std::vector<std::filesystem::path> Files(const std::string& folder) const {
    return FilesUnder(root / folder);
  }

 private:
  const std::unique_ptr<TemporaryFolder> folder_;
  PosixFileSystem real_files_;
  FileSystem& files_;
  rocksdb::Env* const env_;

 public:
  const std::filesystem::path root;
  bool keep_uploads = false;  // Open() keeps the uploads of an earlier process
  ManualClock clock;
  StoreClock store_clock{clock};
  CollectionTimes times;  // Open() uses them
  Metrics metrics;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<DiskBlobStore> bytes;
  std::unique_ptr<Owner> owner;  // Open() makes a new one
  std::unique_ptr<Content> content;
};

// Returns the code of a failure. If the result is a success, fails the test and returns kInternal.
template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

}  // namespace outport::store
