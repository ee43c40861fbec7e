#include "registry/base/data_format.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "registry/base/file.h"

namespace outport {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileName = "format";
constexpr std::string_view kWrittenBy = "written-by";
constexpr uint64_t kMaxBytes = 4096;
constexpr unsigned kMode = 0644;
constexpr uint32_t kFirstVersion = 1;

// The lines of the file.
struct Lines {
  std::map<std::string, uint32_t, std::less<>> versions;
  std::string written_by;
};

Error Malformed(const fs::path& file, const std::string& why) {
  return Error{ErrorCode::kCorrupt,
               file.native() + " is not valid (" + why +
                   "), so the format of the data is unknown; restore the file from a backup of the "
                   "folder (nothing was changed)"};
}

std::optional<uint32_t> ParseVersion(std::string_view text) {
  uint32_t version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || end != text.data() + text.size() || version < kFirstVersion) {
    return std::nullopt;
  }
  return version;
}

// Adds one line, which is not a comment. Returns why the line is invalid.
std::optional<std::string> AddLine(std::string_view line, Lines& lines) {
  const std::string quoted = "'" + std::string(line) + "'";
  if (!lines.written_by.empty()) return "a line follows '" + std::string(kWrittenBy) + "'";
  const size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || space + 1 == line.size()) {
    return quoted + " is not a name and a version";
  }
  const std::string_view name = line.substr(0, space);
  const std::string_view value = line.substr(space + 1);
  if (name == kWrittenBy) {
    lines.written_by = value;
    return std::nullopt;
  }
  const std::optional<uint32_t> version = ParseVersion(value);
  if (!version.has_value()) return quoted + " has no valid version";
  if (!lines.versions.emplace(name, *version).second) return quoted + " is a second line of a part";
  return std::nullopt;
}

Result<Lines> Parse(const fs::path& file, std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Malformed(file, "its last line is incomplete");
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.starts_with('#')) continue;
    if (const auto why = AddLine(line, lines)) return Malformed(file, *why);
  }
  if (!lines.written_by.empty()) return lines;
  return Malformed(file, "its last line is not '" + std::string(kWrittenBy) + " RELEASE'");
}

// Returns nullopt if the folder has no such file.
Result<std::optional<Lines>> ReadLines(const fs::path& folder) {
  const fs::path file = folder / kFileName;
  const Result<std::string> text = ReadWholeFile(file, kMaxBytes);
  if (!text.has_value() && text.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!text.has_value()) return Error(text.error()).Within("the format of the data");
  TRY(Lines lines, Parse(file, *text));
  return lines;
}

Error NewerThanKnown(const fs::path& folder, const FormatPart& part, uint32_t version,
                     const std::string& written_by) {
  return Error{ErrorCode::kFailedPrecondition,
               std::string(part.title) + " in " + folder.native() + " has format " +
                   std::to_string(version) + ", but this program knows formats up to " +
                   std::to_string(part.version) + "; run release " + written_by +
                   ", which wrote the format, or a newer one (nothing was changed)"};
}

// The parts that only one daemon has, and that daemon.
constexpr std::pair<std::string_view, std::string_view> kDaemons[] = {
    {"store-metadata", "outport-store"}, {"node-metadata", "outport-node"}};

Error UnknownPart(const fs::path& folder, const std::string& name, const std::string& written_by) {
  for (const auto& [part, daemon] : kDaemons) {
    if (part != name) continue;
    return Error{ErrorCode::kFailedPrecondition,
                 "the data folder " + folder.native() + " belongs to " + std::string(daemon) +
                     "; name the right data folder (nothing was changed)"};
  }
  return Error{ErrorCode::kFailedPrecondition,
               "the data folder " + folder.native() + " has the part '" + name +
                   "', which this program does not know; run release " + written_by +
                   ", which wrote it, or a newer one, or name the right data folder (nothing was "
                   "changed)"};
}

}  // namespace

Result<DataFormat> DataFormat::Read(const fs::path& folder, std::span<const FormatPart> known) {
  DataFormat format(folder, known);
  TRY(const std::optional<Lines> read, ReadLines(folder));
  const Lines lines = read.value_or(Lines{});
  for (const auto& [name, version] : lines.versions) {
    const auto part = std::ranges::find(known, std::string_view(name), &FormatPart::name);
    if (part == known.end()) return UnknownPart(folder, name, lines.written_by);
    if (version > part->version) return NewerThanKnown(folder, *part, version, lines.written_by);
  }
  for (const FormatPart& part : known) {
    const auto line = lines.versions.find(part.name);
    const uint32_t version = line == lines.versions.end() ? kFirstVersion : line->second;
    format.found_.push_back({.part = &part, .version = version});
  }
  format.has_every_line_ = lines.versions.size() == known.size();
  return format;
}

Result<void> DataFormat::Create(const fs::path& folder, std::span<const FormatPart> known,
                                std::string_view release) {
  std::string text = "# The formats of the data in this folder. Do not edit or remove this file.\n";
  for (const FormatPart& part : known) {
    text += std::string(part.name) + " " + std::to_string(part.version) + "\n";
  }
  text += std::string(kWrittenBy) + " " + std::string(release) + "\n";
  return ReplaceFile(folder / kFileName, text, kMode);
}

Result<void> DataFormat::Raise(std::string_view release, const Log& log) const {
  const auto is_current = [](const Found& found) { return found.version == found.part->version; };
  if (has_every_line_ && std::ranges::all_of(found_, is_current)) return {};
  TRY_VOID(Create(folder_, known_, release));
  for (const Found& found : found_) {
    if (is_current(found)) continue;
    log.Info("data format upgraded",
             {{"part", found.part->name}, {"from", found.version}, {"to", found.part->version}});
  }
  return {};
}

std::vector<std::string> DataFormat::Describe() const {
  std::vector<std::string> lines;
  for (const auto& [part, version] : found_) {
    std::string line = std::string(part->name) + ": format " + std::to_string(version);
    if (version < part->version) {
      line += "; the next 'serve' upgrades it to " + std::to_string(part->version) +
              ", which adds " + std::string(part->changes) +
              "; an older release must not open the folder afterwards";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace outport
