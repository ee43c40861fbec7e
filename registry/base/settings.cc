#include "registry/base/settings.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "registry/base/address.h"
#include "registry/base/file.h"
#include "registry/base/yaml_events.h"

namespace outport {

namespace {
constexpr size_t kMaxProblemBytes = 1000;  // a longer problem quotes a long value
}  // namespace

// The content of a file and its problems. All sections of the file share it.
struct Settings::Document {
  std::string file;
  std::multimap<int, std::string> problems;  // by line; the first kMaxYamlProblems
  size_t more_problems = 0;                  // after them
  // A YAML mapping (a section of the file), and the keys that the program has read from it.
  struct Mapping {
    YAML::Node node;
    std::string path;  // "registry." for error messages
    std::set<std::string, std::less<>> known;
  };
  std::vector<std::shared_ptr<Mapping>> mappings;
  struct Listener {
    std::string path;
    HostPort address;
  };
  std::vector<Listener> listeners;
  std::map<std::string, std::string> renamed;  // old path to new path

  static int LineOf(const YAML::Node& node) {
    return std::max(node.Mark().line + 1, 1);  // an empty file has no line number
  }
  std::string LocationOf(const YAML::Node& node) const {
    return file + ":" + std::to_string(LineOf(node)) + ": ";
  }
  void Add(const YAML::Node& node, const std::string& problem) {
    std::string text = LocationOf(node) + problem;
    if (text.size() > kMaxProblemBytes) {
      size_t end = kMaxProblemBytes;
      while (end > 0 && (text[end] & 0xc0) == 0x80) --end;  // between two characters
      text.resize(end);
      text += "…";
    }
    problems.emplace(LineOf(node), std::move(text));
    if (problems.size() <= kMaxYamlProblems) return;
    problems.erase(std::prev(problems.end()));
    ++more_problems;
  }
};

struct Settings::Node {
  std::shared_ptr<Document::Mapping> mapping;

  // Returns the value at `key`, or an undefined node if the key is absent.
  YAML::Node Find(std::string_view key) const {
    mapping->known.emplace(key);
    const YAML::Node& node = mapping->node;
    if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    return node[std::string(key)];
  }
  std::string Path(std::string_view key) const { return mapping->path + std::string(key); }
};

namespace {

bool IsPresent(const YAML::Node& node) { return node.IsDefined() && !node.IsNull(); }

struct Unit {
  std::string_view suffix;
  uint64_t factor;
};

constexpr std::array kSizeUnits = {
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"KiB", 1ULL << 10},
    Unit{"MiB", 1ULL << 20},
    Unit{"GiB", 1ULL << 30},
    Unit{"TiB", 1ULL << 40},
    Unit{"KB", 1000},
    Unit{"MB", 1000000},
    Unit{"GB", 1000000000},
    Unit{"TB", 1000000000000},
};
constexpr std::array kDurationUnits = {
    Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60000}, Unit{"h", 3600000}, Unit{"d", 86400000},
};

// Parses a whole number with a unit. Returns nullopt for any other text and on overflow.
template <size_t N>
std::optional<uint64_t> ParseWithUnit(std::string_view text, const std::array<Unit, N>& units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  std::string_view suffix(end, text.data() + text.size());
  while (suffix.starts_with(' ')) suffix.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.suffix != suffix) continue;
    uint64_t value = 0;
    if (__builtin_mul_overflow(number, unit.factor, &value) || value > INT64_MAX) break;
    return value;
  }
  return std::nullopt;
}

}  // namespace

Result<uint64_t> ParseSize(std::string_view text) {
  if (const auto value = ParseWithUnit(text, kSizeUnits)) return *value;
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text) + "' is not a size; write for example 512MiB or 10GiB"};
}

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (const auto value = ParseWithUnit(text, kDurationUnits)) {
    return std::chrono::milliseconds(*value);
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text) + "' is not a duration; write for example 500ms, 2s or 24h"};
}

Settings::Settings(std::shared_ptr<Document> document, std::unique_ptr<Node> node)
    : document_(std::move(document)), node_(std::move(node)) {}
Settings::~Settings() = default;
Settings::Settings(Settings&&) noexcept = default;

Result<Settings> Settings::Load(const std::string& path, std::string_view made_by) {
  auto text = ReadWholeFile(path);
  if (!text.has_value() && text.error().code == ErrorCode::kNotFound && !made_by.empty()) {
    text.error().message += "; '" + std::string(made_by) + "' writes this file";
  }
  if (!text.has_value()) return std::move(text).error().Within("reading the configuration");
  return Parse(*text, path);
}

Result<Settings> Settings::Parse(const std::string& text, const std::string& file_name) {
  TRY_VOID(CheckYaml(text, file_name));
  auto document = std::make_shared<Document>();
  document->file = file_name;
  YAML::Node root;
  try {
    root = YAML::Load(text);
  } catch (const YAML::Exception& exception) {
    return Error{
        ErrorCode::kInvalidArgument,
        file_name + ":" + std::to_string(exception.mark.line + 1) + ": not YAML: " + exception.msg};
  }
  if (IsPresent(root) && !root.IsMap()) {
    return Error{ErrorCode::kInvalidArgument,
                 file_name + ":1: the configuration must be a mapping of keys to values"};
  }
  auto mapping =
      std::make_shared<Document::Mapping>(root, "", std::set<std::string, std::less<>>{});
  document->mappings.push_back(mapping);
  return Settings(document, std::make_unique<Node>(mapping));
}

std::string Settings::RequiredString(std::string_view key) {
  if (!IsPresent(node_->Find(key))) {
    document_->Add(node_->mapping->node, "the key '" + node_->Path(key) + "' is missing");
    return "";
  }
  return String(key, "");
}

std::string Settings::String(std::string_view key, std::string_view fallback) {
  const YAML::Node node = node_->Find(key);
  if (!IsPresent(node)) return std::string(fallback);
  if (!node.IsScalar()) {
    document_->Add(node, "'" + node_->Path(key) + "' must be a single value");
    return std::string(fallback);
  }
  return node.Scalar();
}

std::string Settings::Choice(std::string_view key, const std::vector<std::string>& choices,
                             std::string_view fallback) {
  std::string value = String(key, fallback);
  if (std::ranges::find(choices, value) != choices.end()) return value;
  std::string list;
  for (const std::string& choice : choices) list += (list.empty() ? "" : ", ") + choice;
  AddProblem(key, "'" + value + "' is not valid; write one of: " + list);
  return std::string(fallback);
}

bool Settings::Bool(std::string_view key, bool fallback) {
  const std::string value = String(key, fallback ? "true" : "false");
  if (value == "true") return true;
  if (value != "false") AddProblem(key, "'" + value + "' is not valid; write true or false");
  return false;
}

int64_t Settings::Integer(std::string_view key, int64_t fallback, int64_t least, int64_t most) {
  const std::string text = String(key, std::to_string(fallback));
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= most) {
    return value;
  }
  AddProblem(key, "'" + text + "' is not a whole number from " + std::to_string(least) + " to " +
                      std::to_string(most));
  return fallback;
}

uint64_t Settings::Size(std::string_view key, uint64_t fallback_bytes) {
  const auto value = ParseSize(String(key, std::to_string(fallback_bytes)));
  if (value.has_value()) return *value;
  AddProblem(key, value.error().message);
  return fallback_bytes;
}

std::chrono::milliseconds Settings::Duration(std::string_view key,
                                             std::chrono::milliseconds fallback) {
  const auto value = ParseDuration(String(key, std::to_string(fallback.count()) + "ms"));
  if (value.has_value()) return *value;
  AddProblem(key, value.error().message);
  return fallback;
}

std::string Settings::AbsolutePath(std::string_view key, std::string_view example) {
  std::string text = String(key, "");
  if (!text.empty() && !text.starts_with('/')) {
    AddProblem(key, "must be an absolute path, for example " + std::string(example));
  }
  return text;
}

std::string Settings::Address(std::string_view key, std::string_view fallback) {
  std::string text = String(key, fallback);
  const Result<HostPort> parsed = ParseHostPort(text);
  if (!text.empty() && !parsed.has_value()) AddProblem(key, parsed.error().message);
  return text;
}

std::string Settings::Listen(std::string_view key, std::string_view fallback) {
  std::string text = Address(key, fallback);
  const Result<HostPort> parsed = ParseHostPort(text);
  if (!parsed.has_value()) return text;
  if (!IsIpAddress(parsed->host)) {
    AddProblem(key, "'" + text +
                        "' is a host name; write an IP address of this machine, for example "
                        "127.0.0.1:5000, 0.0.0.0:5000 or [::]:5000");
  }
  for (const Document::Listener& other : document_->listeners) {
    if (!Overlap(other.address, *parsed)) continue;
    AddProblem(key, "'" + text + "' is already used by '" + other.path +
                        "' in this file; choose another port");
  }
  document_->listeners.push_back({node_->Path(key), *parsed});
  return text;
}

LogLevel Settings::Level(std::string_view key, LogLevel fallback) {
  const std::vector<std::string> names = {"debug", "info", "warning", "error"};
  const std::string name = Choice(key, names, names[static_cast<size_t>(fallback)]);
  return static_cast<LogLevel>(std::ranges::find(names, name) - names.begin());
}

Settings Settings::Section(std::string_view key) {
  const YAML::Node found = node_->Find(key);
  const bool is_mapping = IsPresent(found) && found.IsMap();
  if (IsPresent(found) && !is_mapping) AddProblem(key, "must be a mapping of keys to values");
  // If the key is absent, use a new node, because yaml-cpp throws on assignment to an absent node.
  auto mapping =
      std::make_shared<Document::Mapping>(is_mapping ? found : YAML::Node(), node_->Path(key) + ".",
                                          std::set<std::string, std::less<>>{});
  document_->mappings.push_back(mapping);
  return Settings(document_, std::make_unique<Node>(mapping));
}

bool Settings::Has(std::string_view key) { return IsPresent(node_->Find(key)); }

bool Settings::IsList(std::string_view key, size_t most) {
  const YAML::Node found = node_->Find(key);
  if (!IsPresent(found)) return false;
  if (!found.IsSequence()) {
    AddProblem(key, "must be a list");
    return false;
  }
  if (found.size() <= most) return true;
  AddProblem(key, "has more than " + std::to_string(most) + " elements");
  return false;
}

std::vector<std::string> Settings::Strings(std::string_view key, size_t most) {
  std::vector<std::string> texts;
  if (!IsList(key, most)) return texts;
  for (const YAML::Node& element : node_->Find(key)) {
    if (element.IsScalar()) {
      texts.push_back(element.Scalar());
    } else {
      document_->Add(element, "'" + node_->Path(key) + "' must be a list of single values");
    }
  }
  return texts;
}

std::vector<Settings> Settings::Sections(std::string_view key, size_t most) {
  std::vector<Settings> sections;
  if (!IsList(key, most)) return sections;
  for (const YAML::Node& element : node_->Find(key)) {
    const std::string path = node_->Path(key) + "[" + std::to_string(sections.size()) + "]";
    if (!element.IsMap())
      document_->Add(element, "'" + path + "' must be a mapping of keys to values");
    auto mapping = std::make_shared<Document::Mapping>(element, path + ".",
                                                       std::set<std::string, std::less<>>{});
    document_->mappings.push_back(mapping);
    sections.push_back(Settings(document_, std::make_unique<Node>(mapping)));
  }
  return sections;
}

void Settings::Renamed(std::string_view old_key, std::string_view new_key) {
  document_->renamed.insert_or_assign(node_->Path(old_key), node_->Path(new_key));
}

std::string Settings::LocationOf(std::string_view key) const {
  const YAML::Node node = node_->Find(key);
  return document_->LocationOf(IsPresent(node) ? node : node_->mapping->node) + "'" +
         node_->Path(key) + "'";
}

void Settings::AddProblem(std::string_view key, std::string_view problem) {
  const YAML::Node node = node_->Find(key);
  document_->Add(IsPresent(node) ? node : node_->mapping->node,
                 "'" + node_->Path(key) + "': " + std::string(problem));
}

Result<void> Settings::Finish() {
  for (const auto& mapping : document_->mappings) {
    if (!mapping->node.IsMap()) continue;
    std::set<std::string> seen;
    for (const auto& entry : mapping->node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "?";
      if (!seen.insert(key).second) {
        document_->Add(entry.first,
                       "'" + mapping->path + key + "' is set twice; remove one of the two");
      }
      if (mapping->known.contains(key)) continue;
      const std::string unknown = "unknown key '" + mapping->path + key + "'";
      if (const auto now = document_->renamed.find(mapping->path + key);
          now != document_->renamed.end()) {
        document_->Add(entry.first, unknown + ": it is now '" + now->second + "'");
        continue;
      }
      std::string known;
      for (const std::string& name : mapping->known) known += (known.empty() ? "" : ", ") + name;
      document_->Add(entry.first, unknown + "; known here: " + known);
    }
  }
  if (document_->problems.empty()) return {};
  std::string all;
  for (const auto& [line, problem] : document_->problems)
    all += (all.empty() ? "" : "\n") + problem;
  if (document_->more_problems > 0) {
    all += "\nand " + std::to_string(document_->more_problems) + " more problems";
  }
  return Error{ErrorCode::kInvalidArgument, all};
}

Result<void> NameKeyInError(Result<void> listening, std::string_view key) {
  if (listening.has_value()) return listening;
  std::string& message = listening.error().message;
  const bool in_use = message.contains("in use");
  message += "; choose another " + std::string(key);
  if (in_use) message += ", or stop the process that uses it";
  return listening;
}

}  // namespace outport
