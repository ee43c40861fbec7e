#include "tests/support/disk_image.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace outport {
namespace {

namespace fs = std::filesystem;

// "a//b/" becomes "a/b".
fs::path Normal(const fs::path& path) {
  fs::path normal = path.lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

std::string Surviving(const DiskImage::Node& node, Loss loss) {
  if (loss == Loss::kAllUnsynced || node.data.size() <= node.durable.size()) return node.durable;
  const size_t unsynced = node.data.size() - node.durable.size();
  return node.durable + node.data.substr(node.durable.size(), unsynced / 2);
}

// Writes the surviving state. A failure of the real disk must not look like lost data.
void Restore(const fs::path& path, std::string_view data) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  while (fd >= 0 && !data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno != EINTR) break;
    if (n > 0) data.remove_prefix(static_cast<size_t>(n));
  }
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (fd < 0 || !data.empty()) {
    throw std::system_error(error, std::generic_category(), "restoring " + path.native());
  }
}

}  // namespace

DiskImage::DiskImage(fs::path root) : root_(Normal(root)) {
  for (const auto& entry : fs::recursive_directory_iterator(root_)) {
    const NodePtr node = Create(entry.path(), entry.is_directory());
    if (entry.is_directory()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    node->data.assign(std::istreambuf_iterator<char>(file), {});
    node->durable = node->data;
  }
  durable_names_ = names_;
}

DiskImage::NodePtr DiskImage::Find(const fs::path& path) const {
  const auto found = names_.find(Normal(path));
  return found == names_.end() ? nullptr : found->second;
}

DiskImage::NodePtr DiskImage::Create(const fs::path& path, bool is_folder) {
  const auto node = std::make_shared<Node>();
  node->is_folder = is_folder;
  names_[Normal(path)] = node;
  return node;
}

void DiskImage::Rename(const fs::path& from, const fs::path& to) {
  const auto node = names_.extract(Normal(from));
  if (!node.empty()) names_[Normal(to)] = node.mapped();
}

void DiskImage::Link(const fs::path& from, const fs::path& to) {
  if (NodePtr node = Find(from)) names_[Normal(to)] = std::move(node);
}

void DiskImage::Remove(const fs::path& path) { names_.erase(Normal(path)); }

void DiskImage::Write(Node& node, uint64_t offset, std::string_view bytes) {
  if (node.data.size() < offset + bytes.size()) node.data.resize(offset + bytes.size());
  node.data.replace(offset, bytes.size(), bytes);
  node.dirty_from = std::min<size_t>(node.dirty_from, offset);
}

void DiskImage::Truncate(Node& node, uint64_t size) {
  node.data.resize(size);
  node.dirty_from = std::min<size_t>(node.dirty_from, size);
}

void DiskImage::Sync(Node& node) {
  if (node.dirty_from == std::string::npos) return;
  node.durable.resize(std::min(node.durable.size(), node.dirty_from));
  node.durable.append(node.data, node.durable.size());
  node.dirty_from = std::string::npos;
}

void DiskImage::SyncFolder(const fs::path& path) {
  const fs::path folder = Normal(path);
  std::erase_if(durable_names_,
                [&](const auto& name) { return name.first.parent_path() == folder; });
  for (const auto& [name, node] : names_) {
    if (name.parent_path() == folder) durable_names_[name] = node;
  }
}

DiskImage::Names DiskImage::Reachable(const Names& names) const {
  Names reachable;
  for (const auto& [name, node] : names) {  // a folder comes before its entries
    const fs::path parent = name.parent_path();
    if (parent == root_ || reachable.contains(parent)) reachable[name] = node;
  }
  return reachable;
}

void DiskImage::Drop(Loss loss) {
  const Names survivors = Reachable(loss == Loss::kAllUnsynced ? durable_names_ : names_);
  for (const auto& [name, node] : names_) {
    if (!survivors.contains(name)) fs::remove_all(name);
  }
  names_.clear();
  for (const auto& [name, node] : survivors) {
    const NodePtr fresh = Create(name, node->is_folder);
    if (node->is_folder) {
      fs::create_directories(name);
      continue;
    }
    fresh->data = Surviving(*node, loss);
    fresh->durable = fresh->data;
    Restore(name, fresh->data);
  }
  durable_names_ = names_;
}

}  // namespace outport
