#include "node/membership/join_command.h"

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "node/membership/join.h"
#include "registry/base/file.h"
#include "registry/security/pki/invitation.h"

namespace outport::node {
namespace {

constexpr uint64_t kMaxTokenBytes = 4096;

struct Options {
  JoinOptions join;
  std::string token_file;
};

Result<std::string> ReadTokenFile(const std::string& file) {
  if (InvitationToken::Decode(file).has_value()) {
    return Error{ErrorCode::kInvalidArgument,
                 "--token-file takes a file name, but got a token; the token is now in the shell "
                 "history, and stays valid until this node has joined"};
  }
  Result<std::string> token = ReadSecretFile(file, kMaxTokenBytes);
  if (token.has_value() || token.error().code != ErrorCode::kNotFound) return token;
  return Error{
      ErrorCode::kInvalidArgument,
      "--token-file " + file +
          " does not exist; create it with 'outportctl node invite NAME --host HOST --out FILE'"};
}

Result<std::string> ReadToken(const std::string& file) {
  if (!file.empty()) return ReadTokenFile(file);
  std::string line;
  for (int c; line.size() < kMaxTokenBytes && (c = std::cin.get()) != EOF && c != '\n';) {
    line.push_back(static_cast<char>(c));
  }
  if (!line.empty()) return line;
  return Error{ErrorCode::kInvalidArgument,
               "no token on standard input; pipe the output of 'outportctl node invite', or name a "
               "file with --token-file"};
}

Result<void> Run(Options options) {
  TRY(options.join.token, ReadToken(options.token_file));
  const Result<Joined> joined = Join(options.join);
  if (!joined.has_value()) return Error(joined.error()).Within("joining");
  std::printf("joined the fleet of %s as node '%s'\nnext: outport-node serve --config %s\n",
              joined->store.c_str(), joined->node.c_str(), joined->config.c_str());
  return {};
}

}  // namespace

void AddJoinCommand(CLI::App& app, std::function<Result<void>()>& chosen,
                    const std::string& version) {
  auto options = std::make_shared<Options>();  // shared with the callback, which CLI11 copies
  options->join.version = version;
  CLI::App* join = app.add_subcommand(
      "join",
      "Join a fleet: exchange the token of 'outportctl node invite' for certificates.\n"
      "  outport-node join --data /var/lib/outport-node --token-file token");
  join->add_option("--data", options->join.data, "Folder for the node's keys, rows and blobs")
      ->required();
  join->add_option("--token-file", options->token_file,
                   "File with the token, readable only by its owner (default: read a line from "
                   "standard input)");
  join->add_flag("--replace", options->join.replace,
                 "Join again with the node in this folder, and a token of 'outportctl node invite "
                 "NAME --replace'; keys, configuration and cached blobs stay");
  join->add_option("--key-type", options->join.key_type,
                   "Type of the keys to create: ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096; "
                   "existing keys stay")
      ->capture_default_str();
  join->add_option("--registry-listen", options->join.registry_listen,
                   "address:port of the registry port, for clients")
      ->capture_default_str();
  join->add_option("--operations-listen", options->join.operations_listen,
                   "address:port of the operations port, for metrics and health")
      ->capture_default_str();
  join->add_option("--config-out", options->join.config_out,
                   "File for the configuration (default: DATA/node.yml)");
  join->callback([&chosen, options] { chosen = [options] { return Run(*options); }; });
}

}  // namespace outport::node
