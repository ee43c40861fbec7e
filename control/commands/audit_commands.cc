#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <ostream>

#include "control/commands/audit_chain.h"
#include "control/commands/audit_files.h"
#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/audit.grpc.pb.h"
#include "registry/base/bytes.h"

namespace outport::control {
namespace {

using Entries = google::protobuf::RepeatedPtrField<v1::AuditEntry>;

struct ListAudit {
  std::string since;
  std::string until;
  std::string actor;
  std::string action;
  uint32_t limit = 100;
};

std::string TextAt(const boost::json::value& row, const char* where) {
  boost::system::error_code ignored;
  const boost::json::value* found = row.find_pointer(where, ignored);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}

void AddRow(Table& table, const v1::AuditEntry& entry) {
  boost::system::error_code error;
  const boost::json::value row = boost::json::parse(entry.record(), error);
  const auto change = [&row](const char* where) {
    boost::system::error_code ignored;
    const boost::json::value* found = row.find_pointer(where, ignored);
    return found == nullptr || found->is_null() ? "" : boost::json::serialize(*found);
  };
  std::string from = TextAt(row, "/actor/address");
  const std::string node = TextAt(row, "/actor/node");
  if (!node.empty()) from += " via " + node;
  table.Add({boost::json::value(entry.sequence()),
             boost::json::value(error ? "(corrupt)" : TextAt(row, "/time")),
             boost::json::value(TextAt(row, "/actor/name")), boost::json::value(from),
             boost::json::value(TextAt(row, "/action")), boost::json::value(TextAt(row, "/object")),
             boost::json::value(change("/before")), boost::json::value(change("/after"))});
}

// Prints an entry in the format of the store's audit file, but without the previous hash: a list
// may omit the previous entry.
void PrintLine(std::ostream& out, const v1::AuditEntry& entry) {
  out << "{\"sequence\":" << entry.sequence() << ",\"hash\":\"" << ToHex(AsBytes(entry.hash()))
      << "\",\"record\":" << entry.record() << "}\n";
}

Result<Entries> Search(StoreClient& client, const ListAudit& options) {
  v1::SearchAuditRequest request;
  request.set_actor(options.actor);
  request.set_action(options.action);
  TRY(const int64_t since, ParseTime("--since", options.since));
  TRY(const int64_t until, ParseTime("--until", options.until));
  request.set_since_ms(since);
  request.set_until_ms(until);
  Entries found;
  while (static_cast<uint32_t>(found.size()) < options.limit) {
    request.set_limit(options.limit - static_cast<uint32_t>(found.size()));
    v1::SearchAuditResponse response;
    TRY_VOID(
        client.Call(&v1::Audit::Stub::SearchAudit, request, response, "searching the audit log"));
    found.MergeFrom(response.entries());
    if (response.next() == 0) break;
    request.set_before(response.next());
  }
  std::reverse(found.begin(), found.end());
  return found;
}

Result<void> List(const Invocation& invocation, const ListAudit& options) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const Entries found, Search(client, options));
  if (invocation.json()) {
    for (const v1::AuditEntry& entry : found) PrintLine(invocation.streams.out, entry);
    return {};
  }
  Table table({"sequence", "time", "actor", "from", "action", "object", "before", "after"});
  for (const v1::AuditEntry& entry : found) AddRow(table, entry);
  invocation.Print(table);
  return {};
}

// Reads the whole log and verifies it. The store may have trimmed the oldest entries; the chain
// then begins after them.
Result<void> CheckLog(StoreClient& client, AuditChain& chain) {
  for (;;) {
    v1::ReadAuditRequest request;
    request.set_from(chain.last() + 1);
    v1::ReadAuditResponse response;
    TRY_VOID(client.Call(&v1::Audit::Stub::ReadAudit, request, response, "reading the audit log"));
    const v1::AuditPoint& trimmed = response.trimmed();
    if (trimmed.sequence() > chain.last()) chain.StartAfter(trimmed.sequence(), trimmed.hash());
    for (const v1::AuditEntry& entry : response.entries()) {
      TRY_VOID(chain.Add(entry.sequence(), entry.hash(), entry.record()));
    }
    if (response.entries_size() > 0) continue;
    const bool whole = chain.last() == response.head().sequence() &&
                       (chain.count() == 0 || chain.hash() == response.head().hash());
    if (whole) return {};
    return Error{ErrorCode::kCorrupt, "the audit log is truncated: the store's last entry is " +
                                          std::to_string(response.head().sequence()) +
                                          ", but the log ends with entry " +
                                          std::to_string(chain.last())};
  }
}

Result<void> Verify(const Invocation& invocation, const AuditFilesCheck& check) {
  AuditChain chain;
  Result<void> checked;
  if (check.files.empty()) {
    TRY(StoreClient client, invocation.Connect());
    checked = CheckLog(client, chain);
  } else {
    checked = CheckAuditFiles(invocation, check, chain);
  }
  if (!checked.has_value()) {
    Error error = checked.error();
    if (error.code == ErrorCode::kCorrupt) error.message += "; " + chain.Verified();
    return error;
  }
  const std::string hash = ToHex(AsBytes(chain.hash()));
  const boost::json::value document = {
      {"entries", chain.count()}, {"first", chain.first()}, {"last", chain.last()}, {"hash", hash}};
  invocation.Print(document, std::to_string(chain.count()) + " entries, " +
                                 std::to_string(chain.first()) + " to " +
                                 std::to_string(chain.last()) + ", verified; last hash " + hash);
  return {};
}

void AddList(const Command& family) {
  auto options = std::make_shared<ListAudit>();  // shared with the callback
  const Command list =
      family.AddCommand("list",
                        "List audit log entries, newest last.\n"
                        "  outportctl audit list --since 24h --action user\n"
                        "  outportctl audit list --actor ci --limit 10000 -o json");
  list.AddOption("--since", options->since,
                 "First time: a duration before now (24h), a day (2026-11-27) or a time in UTC");
  list.AddOption("--until", options->until, "End time, excluded; same formats as --since");
  list.AddOption("--actor", options->actor, "Only changes by this user, node or administrator");
  list.AddOption("--action", options->action,
                 "Only this action (user.add), or all actions of a kind (user)");
  list.AddOption("--limit", options->limit, "Maximum number of entries; the newest are kept")
      .Between(1, 1000000)
      .ShowDefault();
  list.Run(options, List);
}

}  // namespace

void AddAuditCommands(const Command& app) {
  const Command family = app.AddFamily("audit", "Show and verify the audit log");
  AddList(family);
  auto check = std::make_shared<AuditFilesCheck>();  // shared with the callback
  const Command verify = family.AddCommand(
      "verify",
      "Verify the hash chain of the audit log; report the first changed or missing entry. Audit\n"
      "files must have all entries up to the store's last one, or the entry that you noted.\n"
      "  outportctl audit verify\n"
      "  outportctl audit verify --file audit.jsonl.1 --file audit.jsonl\n"
      "  outportctl audit verify --file copy.jsonl --from 4001 --expect HASH   # without the "
      "store");
  const Option file =
      verify.AddOption("--file", check->files,
                       "Verify an audit file instead of the store's log; repeatable, oldest first");
  verify
      .AddOption("--expect", check->expect,
                 "Hash of an entry that the files must have; the store is not called")
      .NotEmpty()
      .Needs(file);
  verify
      .AddOption("--from", check->from,
                 "First entry of the files (default: 1, or the oldest entry at the store)")
      .Between(1, INT64_MAX)
      .Needs(file);
  verify.Run(check, Verify);
}

}  // namespace outport::control
