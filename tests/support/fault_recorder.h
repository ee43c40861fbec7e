#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "registry/base/mutex.h"
#include "tests/support/disk_image.h"

namespace outport {

enum class FaultKind { kCreate, kWrite, kSyncFile, kRename, kRemove, kMakeFolder, kSyncFolder };

// One change of the disk, at which the power may be cut.
struct FaultPoint {
  FaultKind kind;
  std::filesystem::path path;
};

std::string Describe(const FaultPoint& point);

// What a disk that is on answers instead of doing what it should.
enum class FaultError { kIo, kNoSpace };
// What became of a change.
enum class Fate { kDone, kPowerCut, kIoError, kNoSpace };

// Counts the changes of one disk, by our files and RocksDB's, and decides which of them take
// effect. Safe for several threads: changes run one at a time.
class FaultRecorder {
 public:
  using Selector = std::function<bool(const FaultPoint&)>;
  using PathSelector = std::function<bool(const std::filesystem::path&)>;

  explicit FaultRecorder(const std::filesystem::path& root) : image_(root) {}

  // Runs `change(image)` at a fault point, and returns kDone. If the power is cut, at this point or
  // before, or if the point fails, does nothing. An ignored sync does not run, but returns kDone.
  Fate Do(const FaultPoint& point, uint64_t session, const std::function<void(DiskImage&)>& change);
  // Whether a process that started in `session` may still read.
  bool IsOn(uint64_t session) const;
  uint64_t session() const;
  DiskImage::NodePtr Find(const std::filesystem::path& path) const;

  void CutAt(uint64_t n);
  bool is_cut() const;
  void IgnoreSyncs(Selector which);
  uint64_t ignored() const;
  void Fail(FaultError error, Selector which);
  void FailReads(PathSelector which);
  // Whether a read of this file fails now.
  bool FailsRead(const std::filesystem::path& path);
  uint64_t failed() const;
  std::vector<FaultPoint> history() const;
  // Ends the session: files open until now fail.
  void Restart();
  void DropUnsynced(Loss loss);

 private:
  mutable Mutex mutex_;
  DiskImage image_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t session_ OUTPORT_GUARDED_BY(mutex_) = 0;
  uint64_t cut_at_ OUTPORT_GUARDED_BY(mutex_) = 0;  // 0: never
  bool cut_ OUTPORT_GUARDED_BY(mutex_) = false;
  Selector ignore_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t ignored_ OUTPORT_GUARDED_BY(mutex_) = 0;
  FaultError error_ OUTPORT_GUARDED_BY(mutex_) = FaultError::kIo;
  Selector fail_ OUTPORT_GUARDED_BY(mutex_);
  PathSelector fail_reads_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t failed_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::vector<FaultPoint> history_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
