#include "store/audit/audit_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "registry/base/bytes.h"
#include "registry/base/repeat.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kPage = 1000;
constexpr size_t kPageBytes = 1 << 20;
constexpr int kPagesAtOnce = 20;
constexpr std::chrono::milliseconds kPeriod{250};

std::string LineOf(const LogPosition& previous, const LogRecord& entry) {
  return "{\"sequence\":" + std::to_string(entry.position.sequence) + ",\"previous\":\"" +
         ToHex(previous.hash) + "\",\"hash\":\"" + ToHex(entry.position.hash) +
         "\",\"record\":" + entry.record + "}\n";
}

LogPosition FromPoint(const v1::AuditPoint& point) {
  LogPosition position{.sequence = point.sequence(), .hash = {}};
  const Bytes hash = AsBytes(point.hash());
  if (hash.size() == position.hash.size()) std::ranges::copy(hash, position.hash.begin());
  return position;
}

void ToPoint(const LogPosition& position, v1::AuditPoint& point) {
  point.set_sequence(position.sequence);
  point.set_hash(std::string(AsText(position.hash)));
}

}  // namespace

AuditFile::AuditFile(Parts parts)
    : parts_(std::move(parts)),
      lease_(parts_.meta, parts_.clock, "audit-file", parts_.owner),
      syslog_(parts_.syslog),
      sequence_(parts_.metrics.Gauge("outport_store_audit_exported_sequence",
                                     "Sequence of the last audit entry written to the file.")),
      export_failure_(
          {.log = parts_.log.With({{"path", parts_.path.native()}}),
           .failed = "audit file write failed: entries stay in the metadata",
           .recovered = "audit file write recovered",
           .failures = &parts_.metrics.Counter("outport_store_audit_file_write_failures_total",
                                               "Failed writes of the audit file.")}),
      syslog_failure_(
          {.log = parts_.log,
           .failed = "audit entries not sent to syslog",
           .level = LogLevel::kWarning,
           .failures = &parts_.metrics.Counter("outport_store_audit_syslog_dropped_total",
                                               "Audit entries that syslog did not accept.")}) {}

// Changes no existing file, because another process may be writing to it.
Result<void> AuditFile::Open() {
  TRY_VOID(parts_.files.CreateDirectories(parts_.path.parent_path()));
  TRY(const std::unique_ptr<File> opened, OpenOrCreate());
  return ReadState();
}

Result<void> AuditFile::ReadState() {
  TRY(const auto row, ReadRow<v1::AuditFileRow>(parts_.meta, keys::kAuditFile));
  exported_ = row.has_value() ? FromPoint(row->exported()) : LogPosition();
  trimmed_ = row.has_value() ? FromPoint(row->trimmed()) : LogPosition();
  sequence_.Set(static_cast<double>(exported_.sequence));
  return {};
}

Result<bool> AuditFile::Lead() {
  TRY(const bool mine, lease_.Acquire());
  if (mine && lease_.fence() == fence_) return true;
  file_.reset();
  fence_ = 0;
  if (!mine) return false;
  TRY_VOID(ReadState());
  fence_ = lease_.fence();
  return true;
}

Result<std::unique_ptr<File>> AuditFile::OpenOrCreate() {
  auto opened = parts_.files.OpenForWrite(parts_.path);
  if (opened.has_value() || opened.error().code != ErrorCode::kNotFound) return opened;
  opened = parts_.files.Create(parts_.path);
  // Another process may have created the file meanwhile.
  if (!opened.has_value()) return parts_.files.OpenForWrite(parts_.path);
  TRY_VOID(parts_.files.SyncDirectory(parts_.path.parent_path()));
  return opened;
}

Result<void> AuditFile::OpenFile() {
  if (file_ != nullptr) return {};
  TRY(file_, OpenOrCreate());
  TRY(size_bytes_, file_->Size());
  return TruncateIncompleteLine();
}

Result<void> AuditFile::TruncateIncompleteLine() {
  std::array<std::byte, 4096> block;
  uint64_t end = size_bytes_;
  while (end > 0) {
    const uint64_t begin = end - std::min<uint64_t>(end, block.size());
    TRY(const size_t read, file_->ReadAt(begin, std::span(block).first(end - begin)));
    const size_t newline = AsText(Bytes(block).first(read)).rfind('\n');
    if (newline != std::string_view::npos) {
      end = begin + newline + 1;
      break;
    }
    end = begin;
  }
  if (end == size_bytes_) return {};
  size_bytes_ = end;
  return file_->Truncate(end);
}

Result<void> AuditFile::Rotate() {
  const auto numbered = [this](int64_t number) -> std::filesystem::path {
    return parts_.path.native() + (number == 0 ? "" : "." + std::to_string(number));
  };
  file_.reset();
  for (int64_t number = parts_.max_files; number > 0; --number) {
    std::error_code ignored;
    if (!std::filesystem::exists(numbered(number - 1), ignored)) continue;
    TRY_VOID(parts_.files.Rename(numbered(number - 1), numbered(number)));
  }
  // Remove older files. They exist if an earlier configuration had a larger `max_files`.
  for (int64_t number = parts_.max_files + 1;; ++number) {
    std::error_code ignored;
    if (!std::filesystem::exists(numbered(number), ignored)) break;
    TRY_VOID(parts_.files.Remove(numbered(number)));
  }
  return OpenFile();
}

// Writes and syncs the lines. If the write or the sync fails, removes the new lines. The next
// export then opens the file again and repeats the write. A slow process may write although it has
// lost the lease. So opens the file again if its size has changed, and removes no lines without the
// lease.
Result<void> AuditFile::Append(const std::string& lines) {
  TRY_VOID(OpenFile());
  TRY(const uint64_t size_bytes, file_->Size());
  if (size_bytes != size_bytes_) file_.reset();
  TRY_VOID(OpenFile());
  if (size_bytes_ > 0 && size_bytes_ + lines.size() > parts_.max_size_bytes) TRY_VOID(Rotate());
  Result<void> written = file_->WriteAt(size_bytes_, AsBytes(lines));
  if (written.has_value()) written = file_->Sync();
  if (!written.has_value()) {
    const bool mine = lease_.Acquire().value_or(false) && lease_.fence() == fence_;
    if (mine) {
      [[maybe_unused]] const Result<void> best_effort = file_->Truncate(size_bytes_);
    }
    file_.reset();
    return written;
  }
  size_bytes_ += lines.size();
  return {};
}

Result<void> AuditFile::WriteState(MetaTransaction& transaction, const LogPosition& trimmed) const {
  v1::AuditFileRow row;
  ToPoint(exported_, *row.mutable_exported());
  ToPoint(trimmed, *row.mutable_trimmed());
  TRY_VOID(WriteRow(transaction, keys::kAuditFile, row));
  return lease_.Check(transaction);
}

void AuditFile::SendToSyslog(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    syslog_failure_.Record(syslog_.Send(std::string_view(line).substr(0, line.size() - 1)));
  }
}

// Exports at most one page of entries. Returns false if there were no new entries, or if another
// process exports.
Result<bool> AuditFile::ExportPage() {
  TRY(const bool mine, Lead());
  if (!mine) return false;
  TRY(const auto entries, parts_.meta.ReadAudit(exported_.sequence + 1, kPage, kPageBytes));
  if (entries.empty()) return false;
  std::vector<std::string> lines;
  std::string text;
  LogPosition position = exported_;
  for (const LogRecord& entry : entries) {
    text += lines.emplace_back(LineOf(position, entry));
    position = entry.position;
  }
  TRY_VOID(Append(text));
  SendToSyslog(lines);
  exported_ = position;
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(WriteState(*transaction, trimmed_));
  TRY_VOID(transaction->Commit(MetaTransaction::Durability::kBuffered));
  sequence_.Set(static_cast<double>(exported_.sequence));
  return true;
}

uint64_t AuditFile::TrimTarget(const LogPosition& head) const {
  if (head.sequence <= parts_.max_entries) return 0;
  return std::min(exported_.sequence, head.sequence - parts_.max_entries);
}

// Deletes at most one page of exported entries from the audit log. Returns false if there was
// nothing to delete, or if another process exports.
Result<bool> AuditFile::Trim() {
  TRY(const bool mine, Lead());
  if (!mine) return false;
  TRY(const LogPosition head, parts_.meta.AuditHead());
  const uint64_t last = TrimTarget(head);
  if (last <= trimmed_.sequence) return false;
  const size_t limit = std::min<uint64_t>(kPage, last - trimmed_.sequence);
  TRY(const auto entries, parts_.meta.ReadAudit(trimmed_.sequence + 1, limit, kPageBytes));
  if (entries.empty()) return false;
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(
      transaction->TrimAudit(entries.front().position.sequence, entries.back().position.sequence));
  TRY_VOID(WriteState(*transaction, entries.back().position));
  TRY_VOID(transaction->Commit());
  trimmed_ = entries.back().position;
  return true;
}

// A process without the lease does not know what the others have exported since.
Result<bool> AuditFile::HasWork() {
  if (fence_ == 0) TRY_VOID(ReadState());
  TRY(const LogPosition head, parts_.meta.AuditHead());
  return head.sequence > exported_.sequence || TrimTarget(head) > trimmed_.sequence;
}

// If nothing is to be done, does not acquire the lease, because that writes a row.
Result<void> AuditFile::Export() {
  TRY(bool more, HasWork());
  if (!more) return {};
  for (int page = 0; more && page < kPagesAtOnce; ++page) {
    TRY(more, ExportPage());
  }
  more = true;
  for (int page = 0; more && page < kPagesAtOnce; ++page) {
    TRY(more, Trim());
  }
  return {};
}

net::awaitable<void> AuditFile::FollowUntilCancelled() {
  auto follow = [this] { export_failure_.Record(Export()); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(follow));
}

}  // namespace outport::store
