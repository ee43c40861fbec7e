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

// Reads a YAML configuration strictly: see CheckYaml() for what a file must not have. The program
// reads each key by its name, and Finish() reports the keys of the file that the program did not
// read. Finish() returns all problems at once, but at most 100, each as "FILE:LINE: problem, and
// its fix".
//
//   TRY(Settings settings, Settings::Load("store.yml"));
//   config.data = settings.RequiredString("data");
//   Settings registry = settings.Section("registry");
//   config.listen = registry.String("listen", "0.0.0.0:5000");
//   TRY_VOID(settings.Finish());
//
// A Settings object and its sections collect their problems in one list. For one thread.
class Settings {
 public:
  // `made_by` is the command that writes such a file. If the file is missing, the error names this
  // command.
  static Result<Settings> Load(const std::string& path, std::string_view made_by = "");
  static Result<Settings> Parse(const std::string& text, const std::string& file_name);

  std::string RequiredString(std::string_view key);
  std::string String(std::string_view key, std::string_view fallback);
  // The value must be one of `choices`.
  std::string Choice(std::string_view key, const std::vector<std::string>& choices,
                     std::string_view fallback);
  // Returns an empty path if the key is absent. The error for a relative path shows `example`.
  std::string AbsolutePath(std::string_view key, std::string_view example);
  bool Bool(std::string_view key, bool fallback);
  int64_t Integer(std::string_view key, int64_t fallback, int64_t least, int64_t most);
  // A size like "512", "64KiB", "10GiB" or "2MB".
  uint64_t Size(std::string_view key, uint64_t fallback_bytes);
  // A duration like "500ms", "2s", "15m", "24h" or "7d".
  std::chrono::milliseconds Duration(std::string_view key, std::chrono::milliseconds fallback);
  // An address in the form "host:port" or "[v6]:port".
  std::string Address(std::string_view key, std::string_view fallback);
  // An address to listen on: an IP address and a port that no other key of this file uses.
  std::string Listen(std::string_view key, std::string_view fallback);
  // One of debug, info, warning and error.
  LogLevel Level(std::string_view key, LogLevel fallback);
  // The mapping at `key`. If the key is absent, the section is empty.
  Settings Section(std::string_view key);
  // Whether the file has the key with a value.
  bool Has(std::string_view key);
  // The list of texts or of mappings at `key`. If the key is absent, the list is empty. More than
  // `most` elements are a problem.
  std::vector<std::string> Strings(std::string_view key, size_t most);
  std::vector<Settings> Sections(std::string_view key, size_t most);

  // Declares that `old_key` of this section is now called `new_key`. If a file still has `old_key`,
  // Finish() fails and names the new key. Both keys may be paths below this section, like
  // "freshness.max_age".
  void Renamed(std::string_view old_key, std::string_view new_key);

  // Returns "FILE:LINE: 'KEY'" for an error that the program finds after Finish().
  std::string LocationOf(std::string_view key) const;

  // Adds a problem with the value at `key`.
  void AddProblem(std::string_view key, std::string_view problem);

  // Succeeds if there are no problems. Otherwise kInvalidArgument with all problems, one per line,
  // in the order of the file.
  Result<void> Finish();

  ~Settings();
  Settings(Settings&&) noexcept;

 private:
  struct Document;
  struct Node;
  bool IsList(std::string_view key, size_t most);
  Settings(std::shared_ptr<Document> document, std::unique_ptr<Node> node);

  std::shared_ptr<Document> document_;  // shared with the sections
  std::unique_ptr<Node> node_;
};

// Parse the formats of Size() and Duration(), for command lines. kInvalidArgument names `text`.
Result<uint64_t> ParseSize(std::string_view text);
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// Adds `key`, the configuration key of the address, to the error of a failed attempt to listen.
Result<void> NameKeyInError(Result<void> listening, std::string_view key);

}  // namespace outport
