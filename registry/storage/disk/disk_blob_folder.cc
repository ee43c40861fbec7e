#include "registry/storage/disk/disk_blob_folder.h"

#include <algorithm>
#include <string_view>

namespace outport {
namespace {

constexpr size_t kFanOut = 2;  // the number of hexadecimal digits in a folder's name
constexpr size_t kMaxUploadName = 64;

bool IsObjectName(std::string_view object) {
  for (const std::string_view algorithm : {"sha256/", "sha512/"}) {
    if (!object.starts_with(algorithm)) continue;
    object.remove_prefix(algorithm.size());
    return object.size() > kFanOut && object[kFanOut] == '/' &&
           !object.substr(kFanOut + 1).contains('/') && !object.contains("..");
  }
  return false;
}

}  // namespace

std::string DiskBlobFolder::NewObject(const Digest& digest, const std::string& serial) {
  return std::string(digest.algorithm_name()) + "/" + digest.hex().substr(0, kFanOut) + "/" +
         digest.hex() + "." + serial;
}

Result<std::filesystem::path> DiskBlobFolder::PathOf(const std::string& object) const {
  if (!IsObjectName(object)) {
    return Error{ErrorCode::kCorrupt, "'" + object + "' is not the name of a blob object"};
  }
  return blobs_ / object;
}

Result<std::filesystem::path> DiskBlobFolder::PendingPathOf(const std::string& name) const {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
  if (!plain || name.empty() || name.size() > kMaxUploadName) {
    return Error{ErrorCode::kInvalidArgument, "'" + name + "' is not the name of an upload"};
  }
  return pending_ / name;
}

std::filesystem::path DiskBlobFolder::QuarantineOf(const std::string& object) const {
  std::string name = object;
  std::ranges::replace(name, '/', '_');
  return quarantine_ / name;
}

Result<void> DiskBlobFolder::Prepare() {
  for (const auto& folder : {blobs_ / "sha256", blobs_ / "sha512", pending_, quarantine_}) {
    TRY_VOID(files_.CreateDirectories(folder));
  }
  // Sync even if the folders exist: an earlier process may have created them and died before its
  // sync. The root itself needs no second sync, because no blob was acknowledged before its folders
  // in the root were synced.
  return files_.SyncDirectory(blobs_);
}

Result<void> DiskBlobFolder::PrepareParent(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  {
    MutexLock lock(mutex_);
    if (durable_.contains(folder)) return {};
  }
  TRY_VOID(files_.CreateDirectories(folder));
  // Sync even if the folder exists. Another thread may have created the folder and not synced it
  // yet, or an earlier process may have died before its sync.
  TRY_VOID(files_.SyncDirectory(folder.parent_path()));
  MutexLock lock(mutex_);
  durable_.insert(folder);
  return {};
}

}  // namespace outport
