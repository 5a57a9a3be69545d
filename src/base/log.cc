#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include "base/json.h"

namespace plinth::base {

namespace {

std::atomic<bool> json_lines{false};

// A sink that joins later takes the pattern of the moment.
std::string pattern() {
  // The message of a JSON line brings its own quotes.
  return json_lines ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","message":%v})"
                    : "%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v";
}

// The process's one log stream: a log line must be writable from any room without plumbing.
std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = [] {
    auto made = std::make_shared<spdlog::logger>(
        "plinth", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern(pattern());
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void log_message(LogLevel level, std::string_view text) {
  if (!json_lines) {
    logger()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
    return;
  }
  const std::string quoted = to_json(json::string(text));
  logger()->log(to_spdlog(level), spdlog::string_view_t(quoted.data(), quoted.size()));
}

bool log_enabled(LogLevel level) { return logger()->should_log(to_spdlog(level)); }

void set_log_level(LogLevel level) { logger()->set_level(to_spdlog(level)); }

LogLevel log_level_named(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warn", "error"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? LogLevel::info : static_cast<LogLevel>(found - kNames.begin());
}

void set_log_json(bool json) {
  json_lines = json;
  logger()->set_pattern(pattern());
}

bool set_log_file(const std::string& path) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false);
    sink->set_pattern(pattern());
    logger()->sinks().assign(1, sink);
    return true;
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
}

}  // namespace plinth::base
