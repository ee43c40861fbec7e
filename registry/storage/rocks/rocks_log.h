#pragma once

#include <rocksdb/env.h>

#include "registry/base/log.h"

namespace outport {

// A logger for RocksDB. It passes the warnings and errors of RocksDB to our log.
class RocksLog final : public rocksdb::Logger {
 public:
  explicit RocksLog(const Log& log) : Logger(rocksdb::InfoLogLevel::WARN_LEVEL), log_(log) {}

  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
  void LogHeader(const char*, va_list) override {}

 private:
  const Log log_;
};

}  // namespace outport
