#include "registry/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "registry/base/clock.h"
#include "registry/base/log_writer.h"
#include "registry/base/utf8.h"

namespace outport {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::off;
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

LogLevel FromSpdlog(spdlog::level::level_enum level) {
  for (const LogLevel known : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning}) {
    if (ToSpdlog(known) == level) return known;
  }
  return LogLevel::kError;
}

// Writes lines through the process's LogWriter. Without one, writes each line at once.
class StandardErrorSink : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& message) override {
    const std::string line = std::string(message.payload.data(), message.payload.size()) + "\n";
    if (LogWriter* writer = ProcessLogWriter()) {
      writer->Write(FromSpdlog(message.level), line);
    } else {
      std::fwrite(line.data(), 1, line.size(), stderr);
      std::fflush(stderr);
    }
  }
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}
};

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink, spdlog::level::level_enum level) {
  auto logger = std::make_shared<spdlog::logger>("outport", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(level);
  logger->flush_on(spdlog::level::debug);
  return logger;
}

struct AppendValue {
  std::string& out;
  void operator()(const std::string& value) const { out += '"' + JsonEscape(value) + '"'; }
  void operator()(int64_t value) const { out += std::to_string(value); }
  void operator()(double value) const {
    char text[32];
    snprintf(text, sizeof(text), "%.6g", std::isfinite(value) ? value : 0.0);
    out += text;
  }
  void operator()(bool value) const { out += value ? "true" : "false"; }
};

void AppendFields(std::string& out, Log::Fields fields) {
  for (const Log::Field& field : fields) {
    out += ",\"" + JsonEscape(field.key) + "\":";
    std::visit(AppendValue{out}, field.value);
  }
}

}  // namespace

std::string JsonEscape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const char c = text[0];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      snprintf(escaped, sizeof(escaped), "\\u%04x", static_cast<unsigned>(c));
      out += escaped;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

Log Log::ToStandardError(LogLevel level) {
  return Log(MakeLogger(std::make_shared<StandardErrorSink>(), ToSpdlog(level)));
}

Log Log::Nowhere() {
  return Log(MakeLogger(std::make_shared<spdlog::sinks::null_sink_mt>(), spdlog::level::off));
}

Log Log::With(Fields fields) const {
  Log log = *this;
  AppendFields(log.context_, fields);
  return log;
}

void Log::Write(LogLevel level, std::string_view event, Fields fields) const {
  const auto spdlog_level = ToSpdlog(level);
  if (!sink_->should_log(spdlog_level)) return;
  std::string line = "{\"time\":\"" + FormatTime(std::chrono::system_clock::now()) +
                     "\",\"level\":\"" + std::string(Name(level)) + "\",\"event\":\"" +
                     JsonEscape(event) + '"' + context_;
  AppendFields(line, fields);
  line += '}';
  sink_->log(spdlog_level, line);
}

}  // namespace outport
