#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "registry/storage/meta_store.h"

namespace outport {

// The rows of the change log in a key-value engine:
//
//   change/<sequence, 8 bytes big-endian>   hash (32 bytes), record
//   head                                    sequence (8 bytes big-endian), hash (32 bytes)
inline constexpr std::string_view kHeadKey = "head";
inline constexpr std::string_view kChangePrefix = "change/";

bool IsLogKey(std::string_view key);
std::string ChangeKey(uint64_t sequence);
std::string EncodeHead(const LogPosition& head);
std::string EncodeChange(const LogRecord& change);
// kCorrupt if a row is not what the encoders write.
Result<LogPosition> DecodeHead(std::string_view value);
Result<LogRecord> DecodeChange(std::string_view key, std::string_view value);

}  // namespace outport
