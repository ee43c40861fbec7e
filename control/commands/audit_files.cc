#include "control/commands/audit_files.h"

#include <chrono>
#include <thread>
#include <utility>

#include "outport/v1/audit.grpc.pb.h"
#include "registry/base/bytes.h"

namespace outport::control {
namespace {

constexpr uint64_t kBeyondTheLog = uint64_t{1} << 62;
constexpr int kReads = 5;
constexpr std::chrono::milliseconds kBetweenReads{500};

Error Incomplete(const std::string& what) {
  return Error{ErrorCode::kCorrupt, "the audit files are incomplete: " + what};
}

// Returns the first and the last entry of the store's log.
Result<v1::ReadAuditResponse> ReadEnds(const Invocation& invocation) {
  const auto read = [&]() -> Result<v1::ReadAuditResponse> {
    TRY(StoreClient client, invocation.Connect());
    v1::ReadAuditRequest request;
    request.set_from(kBeyondTheLog);
    v1::ReadAuditResponse response;
    TRY_VOID(
        client.Call(&v1::Audit::Stub::ReadAudit, request, response, "reading the audit log's end"));
    return response;
  };
  Result<v1::ReadAuditResponse> ends = read();
  if (!ends.has_value()) {
    ends.error().message +=
        "; without the store, give the hash of an entry that you noted, with --expect";
  }
  return ends;
}

Result<void> CheckStart(const AuditFilesCheck& check, const v1::AuditPoint& trimmed,
                        const AuditChain& chain) {
  const uint64_t first = chain.first();
  const bool is_after_trimmed = trimmed.sequence() > 0 && first == trimmed.sequence() + 1;
  if (check.from != 0 ? first != check.from : first != 1 && !is_after_trimmed) {
    const std::string expected = std::to_string(check.from != 0 ? check.from : 1);
    return Incomplete("they begin with entry " + std::to_string(first) + " instead of entry " +
                      expected + "; name the older files, too, or give --from " +
                      std::to_string(first) + " if the store has deleted these");
  }
  const bool is_first = first == 1 && chain.start_hash() != AuditChain().start_hash();
  const bool is_other = is_after_trimmed && chain.start_hash() != trimmed.hash();
  if (!is_first && !is_other) return {};
  return Incomplete("entry " + std::to_string(first) +
                    " does not continue the store's log: its 'previous' is another hash");
}

// Reads the files once more while the store may still write the entry `last` into them.
Result<void> ReadUntil(uint64_t last, const AuditFilesCheck& check, AuditChain& chain) {
  for (const std::string& file : check.files) TRY_VOID(AddFile(chain, file));
  for (int read = 1; chain.last() < last && read < kReads; ++read) {
    std::this_thread::sleep_for(kBetweenReads);
    TRY_VOID(AddFile(chain, check.files.back()));
  }
  return {};
}

Result<void> CheckAgainstStore(const Invocation& invocation, const AuditFilesCheck& check,
                               AuditChain& chain) {
  // Before the files, because the store adds entries meanwhile.
  const Result<v1::ReadAuditResponse> ends = ReadEnds(invocation);
  const uint64_t last = ends.has_value() ? ends->head().sequence() : 0;
  std::string hash;
  chain.OnEntry([&](uint64_t sequence, const std::string& entry) {
    if (sequence == last) hash = entry;
  });
  const Result<void> read = ReadUntil(last, check, chain);
  chain.OnEntry(nullptr);
  TRY_VOID(read);  // what is wrong with a file matters more than a store that does not answer
  if (!ends.has_value()) return ends.error();
  if (chain.count() == 0) {
    if (last == 0) return {};
    return Incomplete("they have no entry, but the store's last entry is " + std::to_string(last));
  }
  TRY_VOID(CheckStart(check, ends->trimmed(), chain));
  if (chain.last() < last) {
    return Incomplete("they end with entry " + std::to_string(chain.last()) +
                      ", but the store's last entry is " + std::to_string(last) +
                      "; name the newer files, too, or give --expect HASH for an older copy");
  }
  if (last > 0 && hash == ends->head().hash()) return {};
  return Incomplete("they are of another log: entry " + std::to_string(last) +
                    " has another hash at the store");
}

Result<void> CheckAgainstHash(const AuditFilesCheck& check, AuditChain& chain) {
  bool is_found = false;
  chain.OnEntry([&](uint64_t /*sequence*/, const std::string& entry) {
    is_found = is_found || ToHex(AsBytes(entry)) == check.expect;
  });
  const Result<void> read = ReadUntil(0, check, chain);
  chain.OnEntry(nullptr);
  TRY_VOID(read);
  if (chain.count() == 0) return Incomplete("they have no entry");
  TRY_VOID(CheckStart(check, v1::AuditPoint(), chain));
  if (is_found) return {};
  return Incomplete("no entry has the hash " + check.expect +
                    "; they end before that entry, or are of another log");
}

}  // namespace

Result<void> CheckAuditFiles(const Invocation& invocation, const AuditFilesCheck& check,
                             AuditChain& chain) {
  if (check.expect.empty()) return CheckAgainstStore(invocation, check, chain);
  const bool is_hash = check.expect.size() == 64 &&
                       check.expect.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (is_hash) return CheckAgainstHash(check, chain);
  return Error{ErrorCode::kInvalidArgument,
               "--expect '" + check.expect +
                   "' is not a hash; write the 64 hexadecimal digits that 'audit verify' prints"};
}

}  // namespace outport::control
