#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace outport {

// The data that survives a power cut.
enum class Loss {
  kAllUnsynced,  // only synced bytes and names; unsynced removals are undone
  kTornFiles,    // all names, and half of the bytes written since the last sync of a file
};

// The folder of a FaultDisk: its current state, and its durable state, which a power cut leaves. It
// tracks the synced bytes of each file and the synced names of each folder. It guarantees only what
// POSIX does: a name is durable once its folder is synced, if the name of that folder is durable.
// For one thread at a time.
class DiskImage {
 public:
  // A file or a folder, independent of its names.
  struct Node {
    bool is_folder = false;
    std::string data;
    std::string durable;
    size_t dirty_from = std::string::npos;  // the first unsynced byte
  };
  using NodePtr = std::shared_ptr<Node>;  // shared by names, durable names and open files

  // Treats the present content of the folder as durable.
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

  // Changes the folder on the real disk to its state after the cut, and continues from it.
  void Drop(Loss loss);

 private:
  using Names = std::map<std::filesystem::path, NodePtr>;

  // Those of `names` whose parent folders are in `names` too.
  Names Reachable(const Names& names) const;

  const std::filesystem::path root_;
  Names names_;
  Names durable_names_;
};

}  // namespace outport
