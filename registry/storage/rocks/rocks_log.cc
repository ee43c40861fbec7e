#include "registry/storage/rocks/rocks_log.h"

#include <array>
#include <cstdio>
#include <string_view>

namespace outport {

void RocksLog::Logv(const char* format, va_list arguments) {
  Logv(rocksdb::InfoLogLevel::INFO_LEVEL, format, arguments);
}

void RocksLog::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level < rocksdb::InfoLogLevel::WARN_LEVEL) return;
  std::array<char, 1024> text{};  // vsnprintf truncates longer lines
  std::vsnprintf(text.data(), text.size(), format, arguments);
  const std::string_view message(text.data());
  // RocksDB writes this warning about its own default value at every start: drop the warning.
  if (message.find("Transaction write_policy is 0") != std::string_view::npos) return;
  if (level == rocksdb::InfoLogLevel::WARN_LEVEL) {
    log_.Warning("rocksdb", {{"message", message}});
  } else {
    log_.Error("rocksdb", {{"message", message}});
  }
}

}  // namespace outport
