#include "tests/support/fault_recorder.h"

namespace outport {

std::string Describe(const FaultPoint& point) {
  constexpr const char* kNames[] = {"create", "write",       "sync",       "rename",
                                    "remove", "make folder", "sync folder"};
  return std::string(kNames[static_cast<size_t>(point.kind)]) + " " + point.path.native();
}

Fate FaultRecorder::Do(const FaultPoint& point, uint64_t session,
                       const std::function<void(DiskImage&)>& change) {
  MutexLock lock(mutex_);
  if (cut_ || session != session_) return Fate::kPowerCut;
  history_.push_back(point);
  if (history_.size() == cut_at_) {
    cut_ = true;
    return Fate::kPowerCut;
  }
  if (fail_ && fail_(point)) {
    ++failed_;
    return error_ == FaultError::kIo ? Fate::kIoError : Fate::kNoSpace;
  }
  const bool is_sync = point.kind == FaultKind::kSyncFile || point.kind == FaultKind::kSyncFolder;
  if (is_sync && ignore_ && ignore_(point)) {
    ++ignored_;
    return Fate::kDone;
  }
  change(image_);
  return Fate::kDone;
}

bool FaultRecorder::IsOn(uint64_t session) const {
  MutexLock lock(mutex_);
  return !cut_ && session == session_;
}

uint64_t FaultRecorder::session() const {
  MutexLock lock(mutex_);
  return session_;
}

DiskImage::NodePtr FaultRecorder::Find(const std::filesystem::path& path) const {
  MutexLock lock(mutex_);
  return image_.Find(path);
}

void FaultRecorder::CutAt(uint64_t n) {
  MutexLock lock(mutex_);
  cut_at_ = n == 0 ? 0 : history_.size() + n;
}

bool FaultRecorder::is_cut() const {
  MutexLock lock(mutex_);
  return cut_;
}

void FaultRecorder::IgnoreSyncs(Selector which) {
  MutexLock lock(mutex_);
  ignore_ = std::move(which);
}

uint64_t FaultRecorder::ignored() const {
  MutexLock lock(mutex_);
  return ignored_;
}

void FaultRecorder::Fail(FaultError error, Selector which) {
  MutexLock lock(mutex_);
  error_ = error;
  fail_ = std::move(which);
}

void FaultRecorder::FailReads(PathSelector which) {
  MutexLock lock(mutex_);
  fail_reads_ = std::move(which);
}

bool FaultRecorder::FailsRead(const std::filesystem::path& path) {
  MutexLock lock(mutex_);
  const bool fails = fail_reads_ && fail_reads_(path);
  failed_ += fails ? 1 : 0;
  return fails;
}

uint64_t FaultRecorder::failed() const {
  MutexLock lock(mutex_);
  return failed_;
}

std::vector<FaultPoint> FaultRecorder::history() const {
  MutexLock lock(mutex_);
  return history_;
}

void FaultRecorder::Restart() {
  MutexLock lock(mutex_);
  ++session_;
  cut_ = false;
  cut_at_ = 0;
}

void FaultRecorder::DropUnsynced(Loss loss) {
  Restart();
  MutexLock lock(mutex_);
  image_.Drop(loss);
}

}  // namespace outport
