#include <boost/json/object.hpp>
#include <ostream>
#include <set>

#include "control/commands/commands.h"
#include "control/commands/user_list.h"
#include "control/commands/user_options.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "outport/v1/access.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/security/password/htpasswd.h"

namespace outport::control {
namespace {

constexpr uint64_t kMaxFileBytes = 16 << 20;

// Returns all users with their password hashes.
Result<std::vector<HtpasswdUser>> ReadUsers(StoreClient& client) {
  std::vector<HtpasswdUser> users;
  auto add = [&users](const v1::UserInfo& user) {
    users.push_back({user.name(), user.password_hash()});
  };
  TRY_VOID(ForEachUser(client, {.with_password_hashes = true}, add));
  return users;
}

struct ExportUsers {
  std::string file;  // empty: standard output
  bool replace = false;
};

Result<void> CheckOutput(const ExportUsers& options) {
  if (options.file.empty()) return {};
  std::error_code ignored;
  if (!options.replace && std::filesystem::exists(options.file, ignored)) {
    return Error{
        ErrorCode::kAlreadyExists,
        options.file + " already exists; choose another --out, or overwrite it with --replace"};
  }
  return CheckReplaceable(options.file);
}

Result<void> Export(const Invocation& invocation, const ExportUsers& options) {
  TRY_VOID(CheckOutput(options));
  const std::string& file = options.file;
  TRY(StoreClient client, invocation.Connect());
  TRY(const std::vector<HtpasswdUser> users, ReadUsers(client));
  std::string text;
  for (const HtpasswdUser& user : users) text += FormatHtpasswd(user);
  if (file.empty()) {
    invocation.streams.out << text;
    return {};
  }
  TRY_VOID(ReplaceFile(file, text, 0600));
  const boost::json::value document = {{"file", file}, {"users", users.size()}};
  invocation.Print(document, std::to_string(users.size()) + " users written to " + file);
  return {};
}

struct ImportUsers {
  std::string file;
  std::vector<std::string> allow;
  std::vector<std::string> groups;
  bool update = false;
};

struct Imported {
  size_t created = 0;
  size_t updated = 0;
  size_t unchanged = 0;
};

// Returns a request with the groups and grants that every new user gets.
Result<v1::AddUserRequest> NewUserTemplate(const ImportUsers& options) {
  v1::AddUserRequest request;
  for (const std::string& text : options.allow) {
    TRY(*request.add_grants(), ParseGrantOption(text, SubjectKind::kUser));
  }
  for (const std::string& text : options.groups) {
    TRY(*request.add_groups(), ParseSubjectName(text));
  }
  return request;
}

// Checks one user. Called for all users before the first import. `present` is the password hash
// that the store has for this user, or nullptr if the user is new.
Result<void> CheckUser(const ImportUsers& options, const HtpasswdUser& user,
                       const std::string* present) {
  if (present == nullptr && options.allow.empty() && options.groups.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "user '" + user.name +
            "' is new and needs grants; add --allow pull[:PATTERN], or --group with a group "
            "that has grants; nothing was imported"};
  }
  if (options.update || present == nullptr || *present == user.password_hash) return {};
  return Error{ErrorCode::kAlreadyExists,
               "user '" + user.name +
                   "' already exists with another password; overwrite the passwords of existing "
                   "users with --update; nothing was imported"};
}

Result<void> ImportOne(StoreClient& client, const HtpasswdUser& user, const v1::AddUserRequest& as,
                       const std::string* present, Imported& done) {
  if (present != nullptr && *present == user.password_hash) {
    ++done.unchanged;
    return {};
  }
  if (present != nullptr) {
    v1::UpdateUserRequest request;
    request.set_name(user.name);
    request.set_password_hash(user.password_hash);
    v1::ChangedResponse response;
    TRY_VOID(client.Call(&v1::Access::Stub::UpdateUser, request, response,
                         "updating user '" + user.name + "'"));
    ++done.updated;
    return {};
  }
  v1::AddUserRequest request = as;
  request.set_name(user.name);
  request.set_password_hash(user.password_hash);
  v1::AddUserResponse response;
  TRY_VOID(
      client.Call(&v1::Admin::Stub::AddUser, request, response, "adding user '" + user.name + "'"));
  ++done.created;
  return {};
}

Result<void> Import(const Invocation& invocation, const ImportUsers& options) {
  TRY(const v1::AddUserRequest as, NewUserTemplate(options));
  TRY(const std::string text, ReadWholeFile(options.file, kMaxFileBytes));
  const auto users = ParseHtpasswd(text);
  if (!users.has_value()) return Error(users.error()).Within(options.file);
  TRY(StoreClient client, invocation.Connect());
  TRY(const std::vector<HtpasswdUser> present, ReadUsers(client));
  std::map<std::string, std::string> hashes;
  for (const HtpasswdUser& user : present) hashes.emplace(user.name, user.password_hash);
  const auto hash_of = [&hashes](const HtpasswdUser& user) -> const std::string* {
    const auto found = hashes.find(user.name);
    return found == hashes.end() ? nullptr : &found->second;
  };
  for (const HtpasswdUser& user : *users) TRY_VOID(CheckUser(options, user, hash_of(user)));
  Imported done;
  for (const HtpasswdUser& user : *users) {
    const Result<void> imported = ImportOne(client, user, as, hash_of(user), done);
    if (imported.has_value()) continue;
    return Error{imported.error().code,
                 imported.error().message + "; " + std::to_string(done.created + done.updated) +
                     " users were imported before this error; fix it and run the import again"};
  }
  const boost::json::value document = {
      {"created", done.created}, {"updated", done.updated}, {"unchanged", done.unchanged}};
  invocation.Print(document, std::to_string(done.created) + " users created, " +
                                 std::to_string(done.updated) + " updated, " +
                                 std::to_string(done.unchanged) + " unchanged");
  return {};
}

}  // namespace

void AddUserFileCommands(const Command& family) {
  auto imported = std::make_shared<ImportUsers>();  // shared with the callback
  const Command import = family.AddCommand(
      "import",
      "Create the users of an htpasswd file with their passwords. The hashes must be bcrypt\n"
      "(htpasswd -B).\n"
      "  outportctl user import /etc/nginx/registry.htpasswd --allow pull,push");
  import.AddOption("FILE", imported->file, "The htpasswd file").Required();
  import.AddOption("--allow", imported->allow,
                   "Grant ACTIONS[:PATTERN] for each new user; repeatable");
  import.AddOption("--group", imported->groups, "Group of each new user; repeatable");
  import.AddFlag("--update", imported->update,
                 "Overwrite the passwords of existing users, and change nothing else of them");
  import.Run(imported, Import);

  auto options = std::make_shared<ExportUsers>();  // shared with the callback
  const Command exported = family.AddCommand(
      "export",
      "Write user names and password hashes as an htpasswd file. Keep the file secret.\n"
      "  outportctl user export --out users.htpasswd");
  const Option out = exported.AddOption("--out", options->file,
                                        "New file, readable only by its owner (default: print)");
  exported.AddFlag("--replace", options->replace, "Overwrite an existing file").Needs(out);
  exported.Run(options, Export);
}

}  // namespace outport::control
