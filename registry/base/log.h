#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace spdlog {
class logger;
}

namespace outport {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A log that writes one JSON object per line to standard error:
//   {"time":"…","level":"info","event":"blob pushed","digest":"sha256:…","size_bytes":12}
// A Log is a value type and cheap to copy. Safe for several threads. Never log a secret.
class Log {
 public:
  struct Field {
    template <class T>
      requires std::is_convertible_v<T, std::string_view>
    Field(std::string_view k, const T& v) : key(k), value(std::string(std::string_view(v))) {}
    template <std::integral T>
    Field(std::string_view k, T v) : key(k) {
      if constexpr (std::is_same_v<T, bool>) {
        value = v;
      } else {
        value = static_cast<int64_t>(v);
      }
    }
    Field(std::string_view k, double v) : key(k), value(v) {}

    std::string_view key;
    std::variant<std::string, int64_t, double, bool> value;
  };
  using Fields = std::initializer_list<Field>;

  // Writes to standard error, and drops lines below `level`.
  static Log ToStandardError(LogLevel level);
  // Drops all lines.
  static Log Nowhere();

  // Returns a Log that adds `fields` to every line.
  Log With(Fields fields) const;

  void Debug(std::string_view event, Fields fields = {}) const {
    Write(LogLevel::kDebug, event, fields);
  }
  void Info(std::string_view event, Fields fields = {}) const {
    Write(LogLevel::kInfo, event, fields);
  }
  void Warning(std::string_view event, Fields fields = {}) const {
    Write(LogLevel::kWarning, event, fields);
  }
  void Error(std::string_view event, Fields fields = {}) const {
    Write(LogLevel::kError, event, fields);
  }
  void Write(LogLevel level, std::string_view event, Fields fields = {}) const;

 private:
  explicit Log(std::shared_ptr<spdlog::logger> sink) : sink_(std::move(sink)) {}

  std::shared_ptr<spdlog::logger> sink_;  // shared by all copies
  std::string context_;                   // the fields of With() as JSON members: ,"a":"b"
};

// Escapes `text` for use between the quotes of a JSON string. Bytes that are not UTF-8 become
// U+FFFD.
std::string JsonEscape(std::string_view text);

}  // namespace outport
