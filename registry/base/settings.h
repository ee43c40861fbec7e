#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/log.h"
#include "registry/base/result.h"

namespace outport {

// Reads a YAML configuration strictly: the program reads each key by its name, and Finish() reports
// keys that it did not read. Problems are collected, each as "FILE:LINE: problem, and its fix".
//
//   TRY(Settings settings, Settings::Load("store.yml"));
//   config.data = settings.RequiredString("data");
//   Settings registry = settings.Section("registry");
//   config.listen = registry.String("listen", "0.0.0.0:5000");
//   TRY_VOID(settings.Finish());
//
// A Settings and its sections share their problems. For one thread.
class Settings {
 public:
  // `made_by`: the command that writes such a file; it is named in the error if the file is
  // missing.
  static Result<Settings> Load(const std::string& path, std::string_view made_by = "");
  static Result<Settings> Parse(const std::string& text, const std::string& file_name);

  std::string RequiredString(std::string_view key);
  std::string String(std::string_view key, std::string_view fallback);
  // The value must be one of `choices`.
  std::string Choice(std::string_view key, const std::vector<std::string>& choices,
                     std::string_view fallback);
  // Empty if the key is absent. `example` is in the error text for a relative path.
  std::string AbsolutePath(std::string_view key, std::string_view example);
  bool Bool(std::string_view key, bool fallback);
  int64_t Integer(std::string_view key, int64_t fallback, int64_t least, int64_t most);
  // "512", "64KiB", "10GiB", "2MB".
  uint64_t Size(std::string_view key, uint64_t fallback_bytes);
  // "500ms", "2s", "15m", "24h", "7d".
  std::chrono::milliseconds Duration(std::string_view key, std::chrono::milliseconds fallback);
  // "host:port" or "[v6]:port".
  std::string Address(std::string_view key, std::string_view fallback);
  // An address to listen on: an IP address and a port that no other key of this file uses.
  std::string Listen(std::string_view key, std::string_view fallback);
  // debug, info, warning or error.
  LogLevel Level(std::string_view key, LogLevel fallback);
  // The mapping at `key`; empty if it is absent.
  Settings Section(std::string_view key);

  // Declares that `old_key` of this section is now called `new_key`. A file that still has
  // `old_key` is refused; the problem names the new key. Both may be paths below this section:
  // "freshness.max_age".
  void Renamed(std::string_view old_key, std::string_view new_key);

  // "FILE:LINE: 'KEY'", to report a problem with the value later.
  std::string LocationOf(std::string_view key) const;

  // Adds a problem with the value at `key`.
  void AddProblem(std::string_view key, std::string_view problem);

  // kInvalidArgument with all problems, one per line, in the order of the file.
  Result<void> Finish();

  ~Settings();
  Settings(Settings&&) noexcept;

 private:
  struct Document;
  struct Node;
  Settings(std::shared_ptr<Document> document, std::unique_ptr<Node> node);

  std::shared_ptr<Document> document_;  // shared with the sections
  std::unique_ptr<Node> node_;
};

// Parse the formats of Size() and Duration(), for command lines. kInvalidArgument names the text.
Result<uint64_t> ParseSize(std::string_view text);
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// Adds the configuration key of the address to the error of a failed listen.
Result<void> NameKeyInError(Result<void> listening, std::string_view key);

}  // namespace outport
