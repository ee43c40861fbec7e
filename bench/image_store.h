#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/file.h"
#include "registry/base/metrics.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/repository_content.h"
#include "store/gc/collector.h"

namespace outport::store {

// Returns the value, or ends the program with the error.
template <class T>
T Must(Result<T> result, const char* what) {
  if (!result.has_value()) {
    std::fprintf(stderr, "%s failed: %s\n", what, result.error().message.c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// Runs ahead of the machine's clock by a time that a benchmark can extend, or behind it if the time
// is negative.
class ShiftedClock final : public Clock {
 public:
  explicit ShiftedClock(std::chrono::hours ahead) : ahead_(ahead) {}
  std::chrono::nanoseconds SinceBoot() const override { return system_.SinceBoot() + ahead_; }
  std::chrono::system_clock::time_point Wall() const override { return system_.Wall() + ahead_; }
  void Advance(std::chrono::hours time) { ahead_ += time; }

 private:
  const SystemClock system_;
  std::chrono::hours ahead_;
};

// An image of a benchmark: small blobs and a manifest of them. Images of different numbers share
// nothing but their repository.
struct Image {
  static constexpr int kBlobs = 10;
  static constexpr int kInOneRepository = 100;
  static constexpr size_t kBlobBytes = 1024;
  struct Blob {
    std::string text;
    Digest digest;
    std::string object;
  };
  explicit Image(int number);

  RepositoryName repository;
  std::vector<Blob> blobs;
  std::string manifest;
  Digest digest;
};

// The content of a store, its metadata in RocksDB and its blobs on the disk, as the program
// `outport-store` opens them, and its collector. An error ends the program.
class ImageStore {
 public:
  // Opens the folder, or creates it. The store's clock runs `ahead` of the machine's clock.
  ImageStore(std::filesystem::path folder, std::chrono::hours ahead);
  ~ImageStore();

  // Adds the images from number `first` on, with the rows that a push writes. A thousand blobs
  // share a commit, and no file is synced, so that this takes minutes and not hours.
  void Push(int first, int count);
  // Adds only the blobs of these images, so that nothing refers to them.
  void PushBlobs(int first, int count);
  // Deletes the manifest, as a client does.
  void Delete(const Image& image);

  // Runs steps of the collector until it is idle. Calls `after_step` after each one.
  template <class AfterStep>
  void Collect(AfterStep after_step) {
    while (Step()) after_step();
  }
  // Returns the sum of the counts of all runs.
  v1::RunCounts Removed() const;
  v1::RunCounts Freed() const;
  // Whether the store has committed the removal of files that it has not completed yet.
  bool IsRemoving() const;
  bool HasFile(const Image::Blob& blob) const;

  ShiftedClock clock;
  std::unique_ptr<Collector> collector;
  size_t settled = 0;  // unfinished removals of an earlier process, which the start has completed

 private:
  // Returns false if the collector is idle.
  bool Step();
  void WriteFiles(int first, int count) const;
  void LinkBlobs(MetaTransaction& transaction, const Image& image);
  void PushManifest(MetaTransaction& transaction, const Image& image);
  std::vector<v1::RunRow> Runs() const;

  const std::filesystem::path folder_;
  const Log log_;
  PosixFileSystem files_;
  StoreClock store_clock_{clock};
  Metrics metrics_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<DiskBlobStore> bytes_;
  std::unique_ptr<Owner> owner_;
  std::unique_ptr<Content> content_;
};

}  // namespace outport::store
