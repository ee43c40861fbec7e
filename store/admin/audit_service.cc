#include "store/admin/audit_service.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/clock.h"
#include "registry/records/rows.h"
#include "registry/rpc/unary.h"
#include "store/admin/admin_gate.h"

namespace outport::store {
namespace {

constexpr size_t kMaxPage = 1000;
constexpr size_t kPageBytes = 1 << 20;
constexpr size_t kChunk = 200;         // rows that a search reads together
constexpr size_t kMaxScanned = 10000;  // rows that one call reads at most

// The conditions that a record must match in a search.
class Filter {
 public:
  explicit Filter(const v1::SearchAuditRequest& request)
      : actor_(request.actor()), action_(request.action()) {
    if (request.since_ms() != 0) since_ = FormatTime(FromUnixMillis(request.since_ms()));
    if (request.until_ms() != 0) until_ = FormatTime(FromUnixMillis(request.until_ms()));
  }

  // Returns whether a record matches. A corrupt record matches only a search without conditions.
  bool Matches(const std::string& record) const {
    if (since_.empty() && until_.empty() && actor_.empty() && action_.empty()) return true;
    boost::system::error_code error;
    const boost::json::value row = boost::json::parse(record, error);
    if (error || !row.is_object()) return false;
    const std::string time = Text(row, "/time");
    const std::string action = Text(row, "/action");
    return (since_.empty() || time >= since_) && (until_.empty() || time < until_) &&
           (actor_.empty() || Text(row, "/actor/name") == actor_) &&
           (action_.empty() || action == action_ || action.starts_with(action_ + "."));
  }

 private:
  static std::string Text(const boost::json::value& row, const char* where) {
    boost::system::error_code ignored;
    const boost::json::value* found = row.find_pointer(where, ignored);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
  }

  std::string since_;
  std::string until_;
  const std::string actor_;
  const std::string action_;
};

void Add(v1::AuditEntry& entry, const LogRecord& record) {
  entry.set_sequence(record.position.sequence);
  entry.set_hash(std::string(AsText(record.position.hash)));
  entry.set_record(record.record);
}

}  // namespace

AuditService::AuditService(Parts parts) : parts_(std::move(parts)) {}
AuditService::~AuditService() = default;

grpc::ServerUnaryReactor* AuditService::SearchAudit(grpc::CallbackServerContext* context,
                                                    const v1::SearchAuditRequest* request,
                                                    v1::SearchAuditResponse* response) {
  return parts_.gate.Serve(context, response,
                           [this, request](const Administrator&) { return Search(*request); });
}

grpc::ServerUnaryReactor* AuditService::ReadAudit(grpc::CallbackServerContext* context,
                                                  const v1::ReadAuditRequest* request,
                                                  v1::ReadAuditResponse* response) {
  return parts_.gate.Serve(context, response,
                           [this, request](const Administrator&) { return Read(*request); });
}

// Searches backwards in chunks. Sequences are dense, so the search can compute where a chunk
// starts.
Result<v1::SearchAuditResponse> AuditService::Search(const v1::SearchAuditRequest& request) const {
  const Filter filter(request);
  const int limit = static_cast<int>(std::clamp<size_t>(request.limit(), 1, kMaxPage));
  v1::SearchAuditResponse response;
  TRY(const LogPosition head, parts_.meta.AuditHead());
  uint64_t last = head.sequence;
  if (request.before() != 0) last = std::min(last, request.before() - 1);
  size_t bytes = 0;
  for (size_t scanned = 0; last > 0; scanned += kChunk) {
    if (scanned >= kMaxScanned) {
      response.set_next(last + 1);
      break;
    }
    const uint64_t first = last - std::min<uint64_t>(last, kChunk) + 1;
    TRY(std::vector<LogRecord> rows, parts_.meta.ReadAudit(first, last - first + 1, SIZE_MAX));
    // If the first rows of the chunk are already deleted, the read starts at the oldest remaining
    // row. It may then return rows that come after the chunk: drop these.
    while (!rows.empty() && rows.back().position.sequence > last) rows.pop_back();
    for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
      if (response.entries_size() == limit || bytes > kPageBytes) {
        response.set_next(row->position.sequence + 1);
        return response;
      }
      if (!filter.Matches(row->record)) continue;
      bytes += row->record.size();
      Add(*response.add_entries(), *row);
    }
    if (rows.empty()) break;
    last = rows.front().position.sequence - 1;
  }
  return response;
}

Result<v1::ReadAuditResponse> AuditService::Read(const v1::ReadAuditRequest& request) const {
  const std::unique_ptr<MetaView> view = parts_.meta.Snapshot();
  v1::ReadAuditResponse response;
  TRY(const auto file, ReadRow<v1::AuditFileRow>(*view, keys::kAuditFile));
  if (file.has_value()) *response.mutable_trimmed() = file->trimmed();
  TRY(const LogPosition head, view->AuditHead());
  response.mutable_head()->set_sequence(head.sequence);
  response.mutable_head()->set_hash(std::string(AsText(head.hash)));
  TRY(const auto rows, view->ReadAudit(request.from(), kMaxPage, kPageBytes));
  for (const LogRecord& row : rows) Add(*response.add_entries(), row);
  return response;
}

}  // namespace outport::store
