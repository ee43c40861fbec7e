#include "control/commands/audit_chain.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>

#include "registry/base/bytes.h"
#include "registry/oci/digest.h"

namespace outport::control {
namespace {

std::string HashHex(const std::string& previous, std::string_view record) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(previous + std::string(record))).hex();
}

Error CorruptAt(uint64_t sequence, const std::string& what) {
  return Error{ErrorCode::kCorrupt,
               "the audit log is corrupt at entry " + std::to_string(sequence) + ": " + what};
}

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

bool IsHash(std::string_view hex) {
  return hex.size() == 64 && hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Line {
  uint64_t sequence = 0;
  std::string previous;  // 32 bytes
  std::string hash;
  std::string_view record;  // the exact text that the hash covers
};

Result<Line> ParseLine(std::string_view text) {
  const Error malformed{ErrorCode::kCorrupt, "this is not a line of an audit file"};
  constexpr std::string_view kRecord = ",\"record\":";
  boost::system::error_code error;
  const boost::json::value document = boost::json::parse(text, error);
  const size_t record = text.find(kRecord);
  if (error || !document.is_object() || record == std::string_view::npos) return malformed;
  const auto* sequence = document.as_object().if_contains("sequence");
  const auto* previous = document.as_object().if_contains("previous");
  const auto* hash = document.as_object().if_contains("hash");
  if (sequence == nullptr || previous == nullptr || hash == nullptr || !sequence->is_int64() ||
      !previous->is_string() || !hash->is_string() || !IsHash(previous->get_string()) ||
      !IsHash(hash->get_string())) {
    return malformed;
  }
  text.remove_suffix(1);  // the closing brace of the line
  return Line{.sequence = static_cast<uint64_t>(sequence->get_int64()),
              .previous = FromHex(previous->get_string()),
              .hash = FromHex(hash->get_string()),
              .record = text.substr(record + kRecord.size())};
}

Result<void> AddLine(AuditChain& chain, std::string_view text) {
  TRY(const Line line, ParseLine(text));
  if (chain.count() == 0 && line.sequence > 0) chain.StartAfter(line.sequence - 1, line.previous);
  if (line.sequence > chain.last()) return chain.Add(line.sequence, line.hash, line.record);
  if (HashHex(line.previous, line.record) == ToHex(AsBytes(line.hash))) return {};
  return CorruptAt(
      line.sequence,
      "the file has this entry twice, and the second copy does not match its own hash");
}

}  // namespace

void AuditChain::StartAfter(uint64_t sequence, std::string hash) {
  last_ = sequence;
  hash_ = std::move(hash);
  start_hash_ = hash_;
}

Result<void> AuditChain::Add(uint64_t sequence, const std::string& hash, std::string_view record) {
  if (sequence != last_ + 1) {
    return CorruptAt(last_ + 1,
                     "the entry is missing; the next entry is " + std::to_string(sequence));
  }
  if (HashHex(hash_, record) != ToHex(AsBytes(hash))) {
    return CorruptAt(
        sequence,
        "the hash does not match the record and the previous entry's hash; one of the three was "
        "changed after the store wrote it");
  }
  if (count_++ == 0) first_ = sequence;
  last_ = sequence;
  hash_ = hash;
  if (see_) see_(sequence, hash);
  return {};
}

std::string AuditChain::Verified() const {
  if (count_ == 0) return "no entry was verified before this one";
  return "entries " + std::to_string(first_) + " to " + std::to_string(last_) + " verified";
}

Result<void> AddFile(AuditChain& chain, const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) {
    return Error{
        ErrorCode::kNotFound,
        "reading " + path.native() +
            ": the file does not exist or is not readable; name a file that the store wrote "
            "(audit.file)"};
  }
  uint64_t number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    Result<void> added = AddLine(chain, text);
    if (!added.has_value()) {
      return std::move(added).error().Within(path.native() + ":" + std::to_string(number));
    }
  }
  return {};
}

}  // namespace outport::control
