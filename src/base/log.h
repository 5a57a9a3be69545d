// Structured-enough logging to stderr: `LOG(info, "worker {} ready in {} ms", id, ms)`.
// Levels: debug, info, warn, error. Prompts, completions and keys are never logged.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace plinth::base {

enum class LogLevel { debug, info, warn, error };

void log_message(LogLevel level, std::string_view text);
bool log_enabled(LogLevel level);
// The lowest level that is written; default info.
void set_log_level(LogLevel level);
// "debug", "info", "warn" or "error"; info for any other name.
LogLevel log_level_named(std::string_view name);
// From now on one JSON object a line: {"time":...,"level":...,"message":...}.
void set_log_json(bool json);
// Replaces stderr by a file that is appended to. False where it cannot be opened.
bool set_log_file(const std::string& path);

}  // namespace plinth::base

#define LOG(level, ...)                                                                         \
  do {                                                                                          \
    if (::plinth::base::log_enabled(::plinth::base::LogLevel::level))                           \
      ::plinth::base::log_message(::plinth::base::LogLevel::level, ::fmt::format(__VA_ARGS__)); \
  } while (false)
