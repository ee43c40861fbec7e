#include "registry/base/yaml_events.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace outport {
namespace {

std::string Problems(const std::string& text) {
  const Result<void> checked = CheckYaml(text, "f.yml");
  return checked.has_value() ? "" : checked.error().message;
}

struct Case {
  const char* what;
  std::string text;
  const char* problem;  // the start of the error; empty: no problem
};

const Case kCases[] = {
    {"an empty file", "", ""},
    {"only comments", "# nothing\n", ""},
    {"keys and values", "a: 1\nb: {c: [1, 2]}\n", ""},
    {"a mark of the start", "---\na: 1\n", ""},
    {"a mark of the end", "a: 1\n...\n", ""},
    {"a directive", "%YAML 1.2\n---\na: 1\n", ""},
    {"dashes that begin no document", "a: '---'\nb: ---x\n", ""},
    {"a byte order mark",
     "\xef\xbb\xbf"
     "a: 1\n",
     ""},
    {"a tab after a key, and lines of other systems", "a:\t1\r\nb: 2\r\n", ""},
    {"text of any language", "a: Zürich 港\n", ""},
    {"a second document", "a: 1\n---\nb: 2\n", "f.yml:2: a second document begins here; "},
    {"a second document after an end", "a: 1\n...\nb: 2\n", "f.yml:3: a second document"},
    {"an empty second document", "a: 1\n---\n", "f.yml:2: a second document"},
    {"an empty first document", "---\n---\na: 1\n", "f.yml:2: a second document"},
    {"a second document that is not YAML", "a: 1\n---\n{\n", "f.yml:2: a second document"},
    {"an anchor", "a: 1\nb: &x 2\n", "f.yml:2: an anchor ('&x') is not allowed; "},
    {"an anchor of a mapping", "a: &x {b: 1}\n", "f.yml:1: an anchor ('&x')"},
    {"an anchor of nothing", "a: &x\nb: 1\n", "f.yml:1: an anchor ('&x')"},
    {"an alias of nothing", "a: *x\n", "f.yml:1: not YAML"},
    {"a tab at the start of a line", "a:\n\tb: 1\n", "f.yml:2: has a tab in its indentation; "},
    {"a tab that the parser would take for a space", "a: {b: 1,\n \tc: 2}\n",
     "f.yml:2: has a tab in its indentation"},
    {"bytes of another encoding", "a: 1\n# f\xfcr alle\n", "f.yml:2: is not UTF-8 text"},
    {"a character that would end the file", "a: 1\n\x04\nb: 2\n",
     "f.yml:2: has a control character"},
    {"not YAML", "a: 1\nb: [1, 2\n", "f.yml:3: not YAML"},
};

TEST(YamlEvents, FindsWhatALoaderWouldNotReport) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const std::string problems = Problems(c.text);
    EXPECT_EQ(problems.empty(), c.problem[0] == '\0') << problems;
    EXPECT_TRUE(problems.starts_with(c.problem)) << problems;
  }
}

TEST(YamlEvents, NamesEachAnchorAndAlias) {
  EXPECT_EQ(Problems("a: &x 1\nb: *x\n"),
            "f.yml:1: an anchor ('&x') is not allowed; write the value out at each place\n"
            "f.yml:2: an alias ('*') is not allowed; write the value itself");
}

TEST(YamlEvents, BoundsTheDepthAndTheSize) {
  const auto nested = [](size_t levels) {
    return std::string(levels, '[') + std::string(levels, ']');
  };
  EXPECT_EQ(Problems(nested(32)), "");
  EXPECT_EQ(Problems(nested(33)), "f.yml:1: not YAML: more than 32 levels of nesting");
  EXPECT_EQ(Problems(nested(100'000)), "f.yml:1: not YAML: more than 32 levels of nesting");
  EXPECT_EQ(Problems("a: " + std::string((1 << 20) - 3, 'x')), "");
  EXPECT_EQ(Problems("a: " + std::string((1 << 20) - 2, 'x')),
            "f.yml:1: the file is larger than 1 MiB");
}

TEST(YamlEvents, BoundsTheNumberOfProblems) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "k" + std::to_string(i) + ": &x 1\n";
  const std::string problems = Problems(text);
  EXPECT_EQ(std::ranges::count(problems, '\n') + 1, 100);
  EXPECT_LT(problems.size(), 20'000u);
}

}  // namespace
}  // namespace outport
