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

Result<void> CheckData(const std::string& data) {
  TRY(const DataFormat format, ReadNodeFormat(data));
  for (const std::string& line : format.Describe()) std::printf("%s\n", line.c_str());
  return {};
}

Result<void> Check(const std::string& path) {
  TRY(const Config config, LoadConfig(path));
  TRY_VOID(CheckNode(config));
  std::printf("%s: valid\n", path.c_str());
  return CheckData(config.data);
}

Result<void> Serve(const std::string& path) {
  TRY(const Config config, LoadConfig(path));
  return RunUntilSignal([&config] { return StartNode(config, OUTPORT_VERSION); });
}

int Main(int argc, char** argv) {
  // outport-node prints each error as one line. gRPC must not print errors of its own.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  CLI::App app(
      "outport-node mirrors the store of an Outport fleet in a region: it serves pulls from its "
      "cache, "
      "fetches missing content from the store, and relays pushes to it.\n"
      "  outport-node join --data DIR --token-file FILE    # the token of 'outportctl node "
      "invite'\n"
      "  outport-node serve --config DIR/node.yml");
  app.name("outport-node");
  app.set_version_flag("--version", "outport-node " OUTPORT_VERSION);
  app.require_subcommand(1);
  std::function<Result<void>()> chosen;
  std::string config;
  std::string data;
  AddJoinCommand(app, chosen, OUTPORT_VERSION);
  CLI::App* serve =
      app.add_subcommand("serve",
                         "Run the node until SIGTERM or SIGINT.\n"
                         "  outport-node serve --config /var/lib/outport-node/node.yml");
  serve->add_option("--config", config, "Configuration file")->required();
  serve->callback([&] { chosen = [&config] { return Serve(config); }; });
  CLI::App* check =
      app.add_subcommand("check",
                         "Validate a configuration, the node's certificates and its data folder. "
                         "Changes nothing.\n"
                         "  outport-node check --config /var/lib/outport-node/node.yml\n"
                         "  outport-node check --data /var/lib/outport-node");
  check->add_option("--config", config, "Configuration file");
  check->add_option("--data", data,
                    "Data folder: print only its formats, and what an upgrade would do");
  check->require_option(1);
  check->callback([&] {
    chosen = [&config, &data] { return config.empty() ? CheckData(data) : Check(config); };
  });
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
    outport::ExitProcess(outport::node::Main(argc, argv));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "outport-node: %s\n", exception.what());
    outport::ExitProcess(1);
  }
}
