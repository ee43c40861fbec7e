#include "control/console/printable.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "control/console/table.h"

namespace outport::control {
namespace {

using std::string_literals::operator""s;

TEST(Printable, EscapesWhatControlsATerminal) {
  struct Case {
    const char* what;
    std::string text;
    const char* printed;
  };
  const Case kCases[] = {
      {"plain text", "Zürich 港 🚢 \\ \"", "Zürich 港 🚢 \\ \""},
      {"an escape sequence", "a\x1b[2Jb", "a\\u001b[2Jb"},
      {"a line of its own", "a\nwarning: b", "a\\u000awarning: b"},
      {"back to the first column", "a\rb\tc", "a\\u000db\\u0009c"},
      {"a control sequence in one character", "a\xc2\x9b"s + "2Jb", "a\\u009b2Jb"},
      {"the first character after them", "\xc2\xa0", "\xc2\xa0"},
      {"delete and NUL", "a\x7f\0b"s, "a\\u007f\\u0000b"},
      {"not UTF-8", "a\x9b"s + "2Jb\xe6\xb8", "a\\ufffd2Jb\\ufffd\\ufffd"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    EXPECT_EQ(Printable(c.text), c.printed);
  }
  EXPECT_EQ(PrintableLines("a\n\tb\x1b"), "a\n\tb\\u001b");
}

TEST(Printable, KeepsTheMeaningOfJson) {
  const boost::json::value document = {{"why", "a\x1b\n\x7f\xc2\x9b"}};
  const std::string printed = PrintableLines(boost::json::serialize(document));
  EXPECT_EQ(printed.find('\x7f'), std::string::npos);
  EXPECT_EQ(boost::json::parse(printed), document);
}

TEST(Printable, ACellOfATableIsOneLine) {
  Table table({"why"});
  table.Add({boost::json::value("a\x1b[2J\nb")});
  EXPECT_EQ(table.ToText(), "WHY\na\\u001b[2J\\u000ab\n");
}

}  // namespace
}  // namespace outport::control
