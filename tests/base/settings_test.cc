#include "registry/base/settings.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

using namespace std::chrono_literals;

// Reads a small configuration as a daemon does. Returns the problems, or "".
std::string Problems(const std::string& text) {
  auto settings = Settings::Parse(text, "store.yml");
  if (!settings.has_value()) return settings.error().message;
  settings->RequiredString("data");
  Settings registry = settings->Section("registry");
  registry.String("listen", "0.0.0.0:5000");
  registry.Integer("connections", 10, 1, 100);
  registry.Duration("idle", 1s);
  registry.Size("header", 1024);
  registry.Choice("client_auth", {"require", "off"}, "require");
  registry.Bool("quiet", false);
  const auto finished = settings->Finish();
  return finished.has_value() ? "" : finished.error().message;
}

struct Case {
  const char* what;
  const char* text;
  const char* problems;
};

constexpr Case kCases[] = {
    {"the least is accepted", "data: /d", ""},
    {"everything is accepted",
     "data: /d\nregistry: {listen: ':1', connections: 5, idle: 500ms, header: 64KiB, "
     "client_auth: off, quiet: true}",
     ""},
    {"a required key that is missing is named", "registry: {}",
     "store.yml:1: the key 'data' is missing"},
    {"an unknown key is named with its line", "data: /d\nlisten: ':1'",
     "store.yml:2: unknown key 'listen'; known here: data, registry"},
    {"an unknown key of a section has its path", "data: /d\nregistry:\n  listn: ':1'",
     "store.yml:3: unknown key 'registry.listn'; known here: client_auth, connections, header, "
     "idle, listen, quiet"},
    {"a number out of range", "data: /d\nregistry: {connections: 101}",
     "store.yml:2: 'registry.connections': '101' is not a whole number from 1 to 100"},
    {"not a number", "data: /d\nregistry: {connections: 5x}",
     "store.yml:2: 'registry.connections': '5x' is not a whole number from 1 to 100"},
    {"not a duration", "data: /d\nregistry: {idle: 5}",
     "store.yml:2: 'registry.idle': '5' is not a duration; write for example 500ms, 2s or 24h"},
    {"not a size", "data: /d\nregistry: {header: many}",
     "store.yml:2: 'registry.header': 'many' is not a size; write for example 512MiB or 10GiB"},
    {"not a choice", "data: /d\nregistry: {client_auth: maybe}",
     "store.yml:2: 'registry.client_auth': 'maybe' is not valid; write one of: require, off"},
    {"not a bool", "data: /d\nregistry: {quiet: 1}",
     "store.yml:2: 'registry.quiet': '1' is not valid; write true or false"},
    {"a list where a value belongs", "data: [a]", "store.yml:1: 'data' must be a single value"},
    {"a value where a section belongs", "data: /d\nregistry: 7",
     "store.yml:2: 'registry': must be a mapping of keys to values"},
    {"a list is not a configuration", "[a]",
     "store.yml:1: the configuration must be a mapping of keys to values"},
    {"an empty file lacks its keys", "", "store.yml:1: the key 'data' is missing"},
    {"a key that is set twice is reported", "data: /d\nregistry: {}\ndata: /e",
     "store.yml:3: 'data' is set twice; remove one of the two"},
    {"two problems are both reported", "data: /d\nx: 1\ny: 2",
     "store.yml:2: unknown key 'x'; known here: data, registry\n"
     "store.yml:3: unknown key 'y'; known here: data, registry"},
};

TEST(Settings, ReportsProblemsWithTheirLines) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    EXPECT_EQ(Problems(c.text), c.problems);
  }
}

TEST(Settings, RefusesARenamedKeyAndNamesTheNewOne) {
  const auto problems = [](const std::string& text) {
    auto settings = Settings::Parse(text, "node.yml");
    settings->Renamed("cache.keep", "storage.headroom");
    Settings freshness = settings->Section("freshness");
    freshness.Renamed("when_away", "on_store_unreachable");
    EXPECT_EQ(freshness.String("on_store_unreachable", "serve"), "serve")
        << "the old value is not used";
    settings->Section("cache");
    const auto finished = settings->Finish();
    return finished.has_value() ? "" : finished.error().message;
  };
  EXPECT_EQ(problems("cache: {}"), "");
  EXPECT_EQ(problems("cache: {}\nfreshness:\n  when_away: refuse"),
            "node.yml:3: unknown key 'freshness.when_away': it is now "
            "'freshness.on_store_unreachable'");
  EXPECT_EQ(problems("cache:\n  keep: 1GiB"),
            "node.yml:2: unknown key 'cache.keep': it is now 'storage.headroom'");
}

TEST(Settings, InvalidYamlIsReportedWithItsLine) {
  const std::string problem = Problems("data: /d\nregistry: {a: [1, 2\n");
  EXPECT_TRUE(problem.starts_with("store.yml:")) << problem;
  EXPECT_NE(problem.find("not YAML"), std::string::npos) << problem;
}

TEST(Settings, NothingAfterTheFirstDocumentIsIgnored) {
  EXPECT_TRUE(Problems("data: /d\n---\nregistry: {quiet: true}\n")
                  .starts_with("store.yml:2: a second document begins here"));
  EXPECT_TRUE(Problems("data: &d /d\n").starts_with("store.yml:1: an anchor ('&d')"));
}

TEST(Settings, ReportsABoundedNumberOfShortProblems) {
  std::string text = "data: /d\nregistry: {header: " + std::string(100'000, 'x') + "}\n";
  for (int i = 0; i < 1000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  const std::string problems = Problems(text);
  EXPECT_TRUE(problems.starts_with("store.yml:2: 'registry.header': 'xxx")) << problems;
  EXPECT_NE(problems.find("\nstore.yml:101: unknown key 'k98'"), std::string::npos) << problems;
  EXPECT_TRUE(problems.ends_with("\nand 901 more problems")) << problems;
  EXPECT_LT(problems.size(), 20'000u);
}

// The problems of two addresses to listen on.
std::string Listening(const std::string& first, const std::string& second) {
  auto settings = Settings::Parse(
      "registry: {listen: \"" + first + "\"}\nfleet: {listen: \"" + second + "\"}\n", "store.yml");
  settings->Section("registry").Listen("listen", "");
  settings->Section("fleet").Listen("listen", "");
  const auto finished = settings->Finish();
  return finished.has_value() ? "" : finished.error().message;
}

TEST(Settings, ListeningNeedsAnIpAddress) {
  const std::string problem = Listening("0.0.0.0:5000", "localhost:5001");
  EXPECT_TRUE(problem.starts_with("store.yml:2: 'fleet.listen': 'localhost:5001' is a host name"))
      << problem;
  for (const char* good : {"127.0.0.1:1", "[::]:1", "[fe80::1%lo]:1"}) {
    EXPECT_EQ(Listening("127.0.0.1:0", good), "") << good;
  }
}

TEST(Settings, TwoListenersNeedTwoAddresses) {
  for (const char* second : {"127.0.0.1:5000", "0.0.0.0:5000", "[::]:5000"}) {
    const std::string problem = Listening("127.0.0.1:5000", second);
    EXPECT_TRUE(problem.starts_with("store.yml:2: 'fleet.listen'")) << problem;
    EXPECT_NE(problem.find("'registry.listen'"), std::string::npos) << problem;
  }
  EXPECT_EQ(Listening("127.0.0.1:5000", "127.0.0.2:5000"), "");
  EXPECT_EQ(Listening("127.0.0.1:0", "127.0.0.1:0"), "") << "the system chooses two ports";
}

TEST(Settings, LocatesAValue) {
  auto settings = Settings::Parse("data: /d\nfleet:\n  address: a:1\n", "store.yml");
  Settings fleet = settings->Section("fleet");
  EXPECT_EQ(fleet.LocationOf("address"), "store.yml:3: 'fleet.address'");
}

TEST(Settings, ListsHaveTextsOrSections) {
  auto settings = Settings::Parse(
      "names: [a, b]\n"
      "parts:\n"
      "  - size: 1\n"
      "  - size: 2\n"
      "    siez: 3\n",
      "f.yml");
  ASSERT_TRUE(settings.has_value());
  EXPECT_FALSE(settings->Has("absent"));
  EXPECT_TRUE(settings->Has("names"));
  EXPECT_EQ(settings->Strings("names", 2), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(settings->Strings("absent", 2).empty());
  std::vector<Settings> parts = settings->Sections("parts", 2);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[1].Integer("size", 0, 0, 9), 2);
  EXPECT_EQ(parts[0].Integer("size", 0, 0, 9), 1);
  const auto finished = settings->Finish();
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ(finished.error().message, "f.yml:5: unknown key 'parts[1].siez'; known here: size");
}

TEST(Settings, AListThatIsNoneOrTooLongIsAProblem) {
  auto settings = Settings::Parse("a: x\nb: [1, 2, 3]\nc: [[1]]\nd: [1]\n", "f.yml");
  ASSERT_TRUE(settings.has_value());
  EXPECT_TRUE(settings->Strings("a", 9).empty());
  EXPECT_TRUE(settings->Strings("b", 2).empty());
  EXPECT_TRUE(settings->Strings("c", 9).empty());
  EXPECT_EQ(settings->Sections("d", 9).size(), 1u);
  const auto finished = settings->Finish();
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ(finished.error().message,
            "f.yml:1: 'a': must be a list\n"
            "f.yml:2: 'b': has more than 2 elements\n"
            "f.yml:3: 'c' must be a list of single values\n"
            "f.yml:4: 'd[0]' must be a mapping of keys to values");
}

TEST(Settings, AMissingFileIsNamed) {
  const auto settings = Settings::Load("/nonexistent/store.yml");
  ASSERT_FALSE(settings.has_value());
  EXPECT_EQ(settings.error().message,
            "reading the configuration: opening /nonexistent/store.yml: No such file or directory");
}

TEST(Settings, UnitsAreRead) {
  EXPECT_EQ(*ParseSize("512"), 512u);
  EXPECT_EQ(*ParseSize("10GiB"), 10ull << 30);
  EXPECT_EQ(*ParseSize("2MB"), 2000000u);
  EXPECT_FALSE(ParseSize("99999999999TiB").has_value()) << "would overflow";
  EXPECT_FALSE(ParseSize("-1").has_value());
  EXPECT_EQ(*ParseDuration("500ms"), 500ms);
  EXPECT_EQ(*ParseDuration("24h"), 24h);
  EXPECT_EQ(*ParseDuration("7d"), 168h);
  EXPECT_FALSE(ParseDuration("1.5s").has_value());
}

}  // namespace
}  // namespace outport
