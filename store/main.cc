#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "registry/base/command_line.h"
#include "registry/base/process.h"
#include "store/config.h"
#include "store/daemon.h"
#include "store/init.h"
#include "store/open_store.h"

namespace outport::store {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

int Fail(const Error& error) {
  std::fprintf(stderr, "outport-store: %s\n", error.message.c_str());
  return kFailed;
}

int Init(const InitOptions& options) {
  const Result<InitSummary> made = InitStore(options);
  if (!made.has_value()) return Fail(made.error());
  std::printf(
      "store created in %s\n"
      "  configuration  %s\n"
      "  administrator  %s (the profile for outportctl --profile; keep it secret)\n"
      "next:\n"
      "  outport-store serve --config %s\n"
      "  outportctl --profile %s user add NAME --allow pull,push\n",
      made->data.c_str(), made->config_file.c_str(), made->admin_folder.c_str(),
      made->config_file.c_str(), made->admin_folder.c_str());
  return 0;
}

int CheckData(const std::string& data) {
  const Result<DataFormat> format = ReadStoreFormat(data);
  if (!format.has_value()) return Fail(format.error());
  for (const std::string& line : format->Describe()) std::printf("%s\n", line.c_str());
  return 0;
}

int Check(const std::string& path) {
  const Result<Config> config = LoadConfig(path);
  if (!config.has_value()) return Fail(config.error());
  const auto checked = CheckStore(*config);
  if (!checked.has_value()) return Fail(checked.error());
  std::printf("%s: valid\n", path.c_str());
  for (const std::string& warning : *checked) std::printf("warning: %s\n", warning.c_str());
  return CheckData(config->data);
}

int Serve(const std::string& path) {
  ::setenv("GRPC_VERBOSITY", "NONE", 0);  // the store logs gRPC's errors itself
  const Result<Config> config = LoadConfig(path);
  if (!config.has_value()) return Fail(config.error());
  const Result<void> served =
      RunUntilSignal([&config] { return StartStore(*config, OUTPORT_VERSION); });
  return served.has_value() ? 0 : Fail(served.error());
}

void AddInit(CLI::App& app, InitOptions& options, std::string& data) {
  CLI::App* init = app.add_subcommand("init",
                                      "Create a new store in a folder.\n"
                                      "  outport-store init --data /var/lib/outport-store --name "
                                      "store.example.com");
  init->add_option("--data", data, "Folder for all data of the store")->required();
  init->add_option("--name", options.host_names,
                   "Host name or IP address by which clients and nodes reach the store; repeatable")
      ->required();
  init->add_option("--domain", options.domain, "Name of the fleet in its certificates")
      ->capture_default_str();
  init->add_option("--key-type", options.key_type,
                   "Key type of the CAs and the server: ecdsa-p256, ecdsa-p384, rsa-2048 or "
                   "rsa-4096")
      ->capture_default_str();
  Config& config = options.config;
  init->add_option("--registry-listen", config.registry.listen,
                   "address:port of the registry port, for clients")
      ->capture_default_str();
  init->add_option("--fleet-listen", config.fleet_listen,
                   "address:port of the fleet port, for nodes and outportctl")
      ->capture_default_str();
  init->add_option("--operations-listen", config.operations_listen,
                   "address:port of the operations port, for metrics and health")
      ->capture_default_str();
  init->add_option("--fleet-address", config.fleet_address,
                   "host:port by which nodes reach the fleet port (default: the first --name, "
                   "with the port of --fleet-listen)");
  init->add_option("--admin-name", options.admin_name, "Name of the first administrator")
      ->capture_default_str();
  init->add_option("--admin-out", options.admin_folder,
                   "Folder for the administrator's profile (default: DATA/admin)");
  init->add_option("--config-out", options.config_file,
                   "File for the configuration (default: DATA/store.yml)");
}

int Main(int argc, char** argv) {
  CLI::App app(
      "outport-store is the central registry of an Outport fleet: it receives every push, and "
      "nodes "
      "replicate from it.\n"
      "  outport-store init --data DIR --name HOST\n"
      "  outport-store serve --config DIR/store.yml");
  app.name("outport-store");
  app.set_version_flag("--version", "outport-store " OUTPORT_VERSION);
  app.require_subcommand(1);
  InitOptions options;
  options.version = OUTPORT_VERSION;
  std::string data;
  std::string config;
  std::string checked_data;
  AddInit(app, options, data);
  CLI::App* serve =
      app.add_subcommand("serve",
                         "Run the store until SIGTERM or SIGINT.\n"
                         "  outport-store serve --config /var/lib/outport-store/store.yml");
  serve->add_option("--config", config, "Configuration file")->required();
  CLI::App* check =
      app.add_subcommand("check",
                         "Validate a configuration, its certificates and its data folder. Changes "
                         "nothing.\n"
                         "  outport-store check --config /var/lib/outport-store/store.yml\n"
                         "  outport-store check --data /var/lib/outport-store");
  check->add_option("--config", config, "Configuration file");
  check->add_option("--data", checked_data,
                    "Data folder: print only its formats, and what an upgrade would do");
  check->require_option(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "outport-store: %s\n", ExplainUsage(app, error).c_str());
    return kUsage;
  }
  options.config.data = data;
  if (serve->parsed()) return Serve(config);
  if (check->parsed()) return config.empty() ? CheckData(checked_data) : Check(config);
  return Init(options);
}

}  // namespace
}  // namespace outport::store

int main(int argc, char** argv) {
  outport::PrepareDaemonProcess();
  try {
    outport::ExitProcess(outport::store::Main(argc, argv));
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "outport-store: %s\n", exception.what());
    outport::ExitProcess(1);
  }
}
