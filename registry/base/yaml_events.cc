#include "registry/base/yaml_events.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "registry/base/utf8.h"

namespace outport {
namespace {

constexpr size_t kMaxBytes = 1 << 20;
constexpr size_t kMaxDepth = 32;
constexpr size_t kQuotedBytes = 64;  // most bytes of a name that a problem quotes

// Collects the problems of one file.
class Problems {
 public:
  explicit Problems(const std::string& file) : file_(file) {}

  void Add(size_t line, const std::string& problem) {
    if (list_.size() < kMaxYamlProblems) {
      list_.push_back(file_ + ":" + std::to_string(line) + ": " + problem);
    }
  }
  Result<void> ToResult() const {
    if (list_.empty()) return {};
    std::string all;
    for (const std::string& problem : list_) all += (all.empty() ? "" : "\n") + problem;
    return Error{ErrorCode::kInvalidArgument, all};
  }
  bool empty() const { return list_.empty(); }

 private:
  const std::string& file_;
  std::vector<std::string> list_;
};

size_t LineOf(const YAML::Mark& mark) { return static_cast<size_t>(std::max(mark.line, 0)) + 1; }

// Adds what the structure of the file has and a configuration must not have.
class Structure : public YAML::EventHandler {
 public:
  explicit Structure(Problems& problems) : problems_(problems) {}

  bool has_more() const { return documents_ > 1; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) return;
    problems_.Add(LineOf(mark),
                  "a second document begins here; write all keys into one document, without '---' "
                  "and '...' between them");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    problems_.Add(LineOf(mark), "an alias ('*') is not allowed; write the value itself");
  }
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    Enter(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    Enter(mark);
  }
  void OnMapEnd() override { --depth_; }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    problems_.Add(LineOf(mark), "an anchor ('&" + name.substr(0, kQuotedBytes) +
                                    "') is not allowed; write the value out at each place");
  }

 private:
  // Ends the parser, because it calls itself for each level.
  void Enter(const YAML::Mark& mark) {
    if (++depth_ <= kMaxDepth) return;
    throw YAML::ParserException(mark,
                                "more than " + std::to_string(kMaxDepth) + " levels of nesting");
  }

  Problems& problems_;
  size_t documents_ = 0;
  size_t depth_ = 0;
};

// Adds lines that a parser reads in another way than a person. The parser takes U+0004 for the end
// of the file, and some tabs for spaces.
void CheckCharacters(std::string_view text, Problems& problems) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (size_t line = 1; !text.empty(); ++line) {
    const std::string_view content = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), content.size() + 1));
    if (FindInvalidUtf8(content).has_value()) {
      problems.Add(line, "is not UTF-8 text; save the file as UTF-8");
      continue;
    }
    const bool has_control = std::ranges::any_of(content, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
    });
    if (has_control) problems.Add(line, "has a control character; remove it");
    const std::string_view indentation = content.substr(0, content.find_first_not_of(" \t\r"));
    const bool is_blank = indentation.size() == content.size();
    if (!is_blank && indentation.contains('\t')) {
      problems.Add(line, "has a tab in its indentation; indent it with spaces");
    }
  }
}

}  // namespace

Result<void> CheckYaml(const std::string& text, const std::string& file_name) {
  Problems problems(file_name);
  if (text.size() > kMaxBytes) {
    problems.Add(1, "the file is larger than 1 MiB");
    return problems.ToResult();
  }
  CheckCharacters(text, problems);
  if (!problems.empty()) return problems.ToResult();
  try {
    std::istringstream input(text);
    YAML::Parser parser(input);
    Structure structure(problems);
    while (parser.HandleNextDocument(structure) && !structure.has_more()) {
    }
  } catch (const YAML::Exception& exception) {
    problems.Add(LineOf(exception.mark), "not YAML: " + exception.msg);
  }
  return problems.ToResult();
}

}  // namespace outport
