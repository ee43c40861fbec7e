#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <ostream>

#include "control/commands/certificate_folder.h"
#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "registry/base/file.h"

namespace outport::control {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kPublicMode = 0644;

struct InstallCertificates {
  std::string from = "./certs.d";
  std::string engine = "docker";
  std::string folder;  // empty: the engine's own
  bool replace = false;
};

// What docker and containerd look for in the folder HOST:PORT.
Result<void> Copy(const CertificateFolder& from, const CertificateFolder& to, bool replace) {
  TRY(const std::string key, ReadSecretFile(from.key()));
  TRY(const std::string certificate, ReadWholeFile(from.certificate()));
  TRY(const std::string authorities, ReadWholeFile(from.authorities()));
  const auto there = ReadWholeFile(to.key());
  const bool same = there.has_value() && *there == key;
  const Result<void> possible = to.Prepare(true, replace || same);
  if (!possible.has_value() && possible.error().code == ErrorCode::kAlreadyExists) {
    return Error{ErrorCode::kAlreadyExists,
                 to.key().native() +
                     " is there already, with another key; say --replace if nobody needs it"};
  }
  TRY_VOID(possible);
  return to.Write(key, certificate, authorities);
}

// containerd's registry configuration (hosts.md of containerd): the certificates, for this host.
std::string HostsToml(const std::string& registry, const CertificateFolder& folder) {
  const std::string server = "\"https://" + registry + "\"";
  return "server = " + server + "\n\n[host." + server +
         "]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n  ca = \"" +
         folder.authorities().native() + "\"\n  client = [[\"" + folder.certificate().native() +
         "\", \"" + folder.key().native() + "\"]]\n";
}

Result<void> WriteHosts(const std::string& registry, const CertificateFolder& folder,
                        bool replace) {
  const fs::path path = folder.path / "hosts.toml";
  const std::string text = HostsToml(registry, folder);
  const auto there = ReadWholeFile(path);
  if (there.has_value() && *there != text && !replace) {
    return Error{ErrorCode::kAlreadyExists,
                 path.native() +
                     " is there already and says something else; say --replace, or add this to "
                     "it:\n" +
                     text};
  }
  return ReplaceFile(path, text, kPublicMode);
}

// Docker Desktop's engine runs in a virtual machine, which takes this folder in when it starts.
Result<void> PrintForDesktop(const Invocation& invocation, const InstallCertificates& options) {
  std::error_code ignored;
  const std::string from = fs::absolute(options.from, ignored).lexically_normal().native();
  const std::string command =
      "mkdir -p ~/.docker/certs.d && cp -R '" + from + "/.' ~/.docker/certs.d/";
  invocation.Print({{"command", command}},
                   command +
                       "\n# then restart Docker Desktop: its virtual machine takes them in "
                       "when it starts.\n# On Windows the folder is %USERPROFILE%\\.docker"
                       "\\certs.d.");
  return {};
}

Result<void> Install(const Invocation& invocation, const InstallCertificates& options) {
  TRY(const auto folders, FindCertificateFolders(options.from));
  for (const CertificateFolder& folder : folders) {
    if (!folder.administrators && folder.path.filename().native().contains(':')) continue;
    return Error{ErrorCode::kInvalidArgument,
                 folder.path.native() +
                     " is not named HOST:PORT, as 'cert issue --for HOST:PORT' names its folders: "
                     "whom the certificate is for is not known"};
  }
  if (options.engine == "docker-desktop") return PrintForDesktop(invocation, options);
  const bool containerd = options.engine == "containerd";
  fs::path base = options.folder;
  if (base.empty()) base = containerd ? "/etc/containerd/certs.d" : "/etc/docker/certs.d";
  boost::json::array installed;
  std::string text;
  for (const CertificateFolder& folder : folders) {
    const std::string registry = folder.path.filename().native();
    std::error_code ignored;
    const CertificateFolder to{fs::absolute(base / registry, ignored).lexically_normal()};
    TRY_VOID(Copy(folder, to, options.replace));
    if (containerd) TRY_VOID(WriteHosts(registry, to, options.replace));
    installed.emplace_back(to.path.native());
    text += (text.empty() ? "" : "\n") + ("installed " + to.path.native());
  }
  invocation.Print({{"folders", installed}}, text);
  return {};
}

}  // namespace

void AddInstallCommand(const Command& family) {
  auto installed = std::make_shared<InstallCertificates>();  // shared with the callback
  const Command install = family.AddCommand(
      "install",
      "Put certificates where this machine's container engine looks for them. Needs root for the\n"
      "engine's own folder, and no store.\n"
      "  outportctl cert install ./certs.d\n"
      "  outportctl cert install ./certs.d --engine containerd\n"
      "  outportctl cert install ./certs.d --engine docker-desktop   # prints what to run");
  install
      .AddOption("FOLDER", installed->from,
                 "where 'cert issue --for' wrote: a folder HOST:PORT, or one of such folders")
      .ShowDefault();
  install.AddOption("--engine", installed->engine, "docker, containerd or docker-desktop")
      .OneOf({"docker", "containerd", "docker-desktop"})
      .ShowDefault();
  install.AddOption("--into", installed->folder,
                    "another folder than /etc/docker/certs.d or /etc/containerd/certs.d");
  install.AddFlag("--replace", installed->replace, "replace other keys and configurations");
  install.Run(installed, Install);
}

}  // namespace outport::control
