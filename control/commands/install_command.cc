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
  std::string folder;  // empty: the engine's default
  bool replace = false;
};

// Whether container engines take this first part of an image name as a registry: "app" in "app/web"
// is no registry. An image name without a port means port 443. "certs.d" is the engines' name for
// the folder of all registries, and the default of 'cert issue --out'.
bool IsRegistry(const std::string& name) {
  if (name == "localhost" || name.contains(':')) return true;
  return name.contains('.') && !name.starts_with('.') && !name.ends_with('.') && name != "certs.d";
}

// Copies the files of a registry: docker and containerd read them from the folder HOST:PORT, or
// HOST for port 443.
Result<void> Copy(const CertificateFolder& from, const CertificateFolder& to, bool replace) {
  TRY(const std::string key, ReadSecretFile(from.key()));
  TRY(const std::string certificate, ReadWholeFile(from.certificate()));
  TRY(const std::string authorities, ReadWholeFile(from.authorities()));
  const auto there = ReadWholeFile(to.key());
  const bool same = there.has_value() && *there == key;
  const Result<void> possible = to.Prepare(true, replace || same);
  if (!possible.has_value() && possible.error().code == ErrorCode::kAlreadyExists) {
    return Error{
        ErrorCode::kAlreadyExists,
        to.key().native() +
            " already exists and differs from the new key; overwrite it with --replace if it "
            "is no longer needed"};
  }
  TRY_VOID(possible);
  return to.Write(key, certificate, authorities);
}

// Returns containerd's configuration of one registry, with the paths of its certificates. The
// format is in hosts.md of containerd.
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
                     " already exists with other content; overwrite it with --replace, or add this "
                     "to it:\n" +
                     text};
  }
  return ReplaceFile(path, text, kPublicMode);
}

// Prints the commands to run. Docker Desktop's engine runs in a virtual machine, which copies the
// folder when the machine starts.
Result<void> PrintForDesktop(const Invocation& invocation, const InstallCertificates& options) {
  std::error_code ignored;
  const std::string from = fs::absolute(options.from, ignored).lexically_normal().native();
  const std::string command =
      "mkdir -p ~/.docker/certs.d && cp -R '" + from + "/.' ~/.docker/certs.d/";
  invocation.Print(
      {{"command", command}},
      command +
          "\n# Then restart Docker Desktop: its virtual machine copies the folder when "
          "it starts.\n# On Windows the folder is %USERPROFILE%\\.docker"
          "\\certs.d.");
  return {};
}

Result<void> Install(const Invocation& invocation, const InstallCertificates& options) {
  // Without a slash at its end, the path ends with the name of the folder.
  const std::string from = options.from.substr(0, options.from.find_last_not_of('/') + 1);
  TRY(const auto folders, FindCertificateFolders(from.empty() ? options.from : from));
  for (const CertificateFolder& folder : folders) {
    if (!folder.administrators && IsRegistry(folder.path.filename().native())) continue;
    return Error{ErrorCode::kInvalidArgument,
                 folder.path.native() +
                     " is not named HOST:PORT or HOST, so its registry is unknown; create the "
                     "folders with 'cert issue --for HOST:PORT'"};
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
      "Install certificates for the container engine of this machine. Needs root for the default\n"
      "folder of docker or containerd; does not call the store.\n"
      "  outportctl cert install ./certs.d\n"
      "  outportctl cert install ./certs.d --engine containerd\n"
      "  outportctl cert install ./certs.d --engine docker-desktop   # prints the commands to run");
  install
      .AddOption("FOLDER", installed->from,
                 "Output of 'cert issue --for': a folder HOST:PORT or HOST, or a folder of such "
                 "folders")
      .ShowDefault();
  install.AddOption("--engine", installed->engine, "Container engine")
      .OneOf({"docker", "containerd", "docker-desktop"})
      .ShowDefault();
  install.AddOption("--into", installed->folder,
                    "Target folder (default: /etc/docker/certs.d or /etc/containerd/certs.d)");
  install.AddFlag("--replace", installed->replace, "Overwrite different keys and configurations");
  install.Run(installed, Install);
}

}  // namespace outport::control
