#include "registry/storage/meta_log.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "registry/base/bytes.h"

namespace outport {
namespace {

constexpr size_t kSequenceBytes = 8;
constexpr size_t kHashBytes = sizeof(LogPosition::hash);

void AppendSequence(std::string& text, uint64_t sequence) {
  for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(sequence >> shift));
}

// REQUIRES: `text` has 8 bytes.
uint64_t ReadSequence(std::string_view text) {
  uint64_t sequence = 0;
  for (const char c : text) sequence = sequence << 8 | static_cast<unsigned char>(c);
  return sequence;
}

void SetHash(LogPosition& position, std::string_view hash) {
  std::ranges::copy(AsBytes(hash), position.hash.begin());
}

}  // namespace

LogPosition NextPosition(const LogPosition& previous, std::string_view record) {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  LogPosition next{.sequence = previous.sequence + 1, .hash = {}};
  if (EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), previous.hash.data(), previous.hash.size()) != 1 ||
      EVP_DigestUpdate(context.get(), record.data(), record.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(next.hash.data()),
                         nullptr) != 1) {
    std::abort();  // out of memory or OpenSSL failed; a record must not get a wrong hash
  }
  return next;
}

std::optional<LogPosition> ToLogPosition(uint64_t sequence, std::string_view hash) {
  if (hash.size() != kHashBytes) return std::nullopt;
  LogPosition position{.sequence = sequence, .hash = {}};
  SetHash(position, hash);
  return position;
}

bool IsLogKey(std::string_view key) {
  for (const LogRows& log : {kChangeLog, kAuditLog}) {
    if (key == log.head || key.starts_with(log.prefix)) return true;
  }
  return false;
}

std::string LogRows::Key(uint64_t sequence) const {
  std::string key(prefix);
  AppendSequence(key, sequence);
  return key;
}

std::string EncodeHead(const LogPosition& head) {
  std::string value;
  AppendSequence(value, head.sequence);
  value.append(AsText(head.hash));
  return value;
}

std::string EncodeRecord(const LogRecord& record) {
  std::string value(AsText(record.position.hash));
  value.append(record.record);
  return value;
}

Result<LogPosition> LogRows::DecodeHead(std::string_view value) const {
  if (value.size() != kSequenceBytes + kHashBytes) {
    return Error{ErrorCode::kCorrupt, "the row of the " + std::string(name) + "'s head is corrupt"};
  }
  LogPosition position{.sequence = ReadSequence(value.substr(0, kSequenceBytes)), .hash = {}};
  SetHash(position, value.substr(kSequenceBytes));
  return position;
}

Result<LogRecord> LogRows::DecodeRecord(std::string_view key, std::string_view value) const {
  if (!key.starts_with(prefix) || key.size() != prefix.size() + kSequenceBytes ||
      value.size() < kHashBytes) {
    return Error{ErrorCode::kCorrupt, "a row of the " + std::string(name) + " is corrupt"};
  }
  LogRecord record;
  record.position.sequence = ReadSequence(key.substr(prefix.size()));
  SetHash(record.position, value.substr(0, kHashBytes));
  record.record = value.substr(kHashBytes);
  return record;
}

}  // namespace outport
