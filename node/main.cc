#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "node/daemon.h"
#include "node/membership/config.h"
#include "node/membership/join_command.h"
#include "registry/base/command_line.h"
#include "registry/base/process.h"

namespace outport::node {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

Result<void> Check(const std::string& path) {
  TRY(const Config config, LoadConfig(path));
  TRY_VOID(CheckNode(config));
  std::printf("%s: good\n", path.c_str());
  return {};
}

Result<void> Serve(const std::string& path) {
  TRY(const Config config, LoadConfig(path));
  return RunUntilSignal([&config] { return StartNode(config, OUTPORT_VERSION); });
}

int Main(int argc, char** argv) {
  // One line says what went wrong; gRPC's own lines would stand before it.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  CLI::App app(
      "outport-node: answers a region's pulls as if it were the store, fetches what it lacks from "
      "it, and relays pushes to it (registry.read_only in node.yml refuses them).\n"
      "Start with: outport-node join --data DIR --token-file FILE (of 'outportctl node invite'), "
      "then "
      "outport-node serve --config DIR/node.yml");
  app.name("outport-node");
  app.set_version_flag("--version", "outport-node " OUTPORT_VERSION);
  app.require_subcommand(1);
  std::function<Result<void>()> chosen;
  std::string config;
  AddJoinCommand(app, chosen);
  CLI::App* serve = app.add_subcommand("serve", "Serve until SIGTERM or SIGINT");
  serve->add_option("--config", config, "The node.yml that join wrote")->required();
  serve->callback([&] { chosen = [&config] { return Serve(config); }; });
  CLI::App* check = app.add_subcommand("check", "Say what is wrong with a configuration");
  check->add_option("--config", config, "The node.yml to check")->required();
  check->callback([&] { chosen = [&config] { return Check(config); }; });
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "outport-node: %s\n", ExplainUsage(app, error).c_str());
    return kUsage;
  }
  const Result<void> done = chosen();
  if (done.has_value()) return 0;
  std::fprintf(stderr, "outport-node: %s\n", done.error().message.c_str());
  return kFailed;
}

}  // namespace
}  // namespace outport::node

int main(int argc, char** argv) {
  outport::PrepareDaemonProcess();
  try {
    return outport::node::Main(argc, argv);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "outport-node: %s\n", exception.what());
    return 1;
  }
}
