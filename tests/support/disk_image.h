#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace outport {

// What a power cut spares.
enum class Loss {
  kAllUnsynced,  // neither bytes nor names that were not synced are left; removed names come back
  kTornFiles,    // all names are left, and half of what was written since the last sync of a file
};

// The folder of a FaultDisk as the programs see it, and as it would be after a power cut: which
// bytes of which file, and which names of which folder, were synced. It follows what POSIX promises
// and no more: a name is durable once its own folder is synced, and only if that folder's name is.
// For one thread at a time.
class DiskImage {
 public:
  // A file or a folder, whatever its names are.
  struct Node {
    bool is_folder = false;
    std::string data;
    std::string durable;
    size_t dirty_from = std::string::npos;  // the first byte that may differ
  };
  using NodePtr = std::shared_ptr<Node>;  // shared by names, durable names and open files

  // Takes what is in the folder as durable.
  explicit DiskImage(std::filesystem::path root);

  NodePtr Find(const std::filesystem::path& path) const;
  NodePtr Create(const std::filesystem::path& path, bool is_folder = false);
  void Rename(const std::filesystem::path& from, const std::filesystem::path& to);
  void Link(const std::filesystem::path& from, const std::filesystem::path& to);
  void Remove(const std::filesystem::path& path);
  static void Write(Node& node, uint64_t offset, std::string_view bytes);
  static void Truncate(Node& node, uint64_t size);
  static void Sync(Node& node);
  void SyncFolder(const std::filesystem::path& path);

  // Makes the folder on the real disk what the cut leaves of it, and goes on from there.
  void Drop(Loss loss);

 private:
  using Names = std::map<std::filesystem::path, NodePtr>;

  // Those of `names` whose folders are in it too.
  Names Reachable(const Names& names) const;

  const std::filesystem::path root_;
  Names names_;
  Names durable_names_;
};

}  // namespace outport
