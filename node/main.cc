#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>

#include "node/join_command.h"

namespace outport::node {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int Main(int argc, char** argv) {
  // One line says what went wrong; gRPC's own lines would stand before it.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  CLI::App app(
      "outport-node: the registry in a region. It answers pulls as if it were the store, and "
      "fetches what it lacks from it.\n"
      "Start with: outport-node join --data DIR < token, then outport-node serve --config "
      "DIR/node.yml");
  app.name("outport-node");
  app.set_version_flag("--version", "outport-node " OUTPORT_VERSION);
  app.require_subcommand(1);
  std::function<Result<void>()> chosen;
  AddJoinCommand(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "outport-node: %s; see outport-node --help\n", error.what());
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
  try {
    return outport::node::Main(argc, argv);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "outport-node: %s\n", exception.what());
    return 1;
  }
}
