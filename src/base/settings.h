// Settings, declared once as data (settings_table.cc): the file, the environment, the flags, their
// checks, `plinth settings` and docs/settings.md all come from that one table.
//
//   Settings settings;                                        // every default
//   settings.read_toml(text, "~/.local/share/plinth/plinth.toml")
//   settings.read_environment({"PLINTH_ENGINE_CTX=4096"})     // over the file
//   settings.set("engine.ctx", "2048", "--ctx")               // over both
//   settings.integer("engine.ctx")                            // 2048
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace plinth::base {

// In the order of Settings::Value's alternatives.
enum class SettingType { boolean, integer, text, list };

struct Setting {
  std::string_view key;   // "engine.ctx": the table and the name inside it
  std::string_view flag;  // "--ctx"; "" = made of the key: "--engine-ctx"
  SettingType type = SettingType::text;
  std::string_view default_text;  // as a flag would give it
  std::int64_t min = 0, max = 0;  // of an integer
  std::string_view unit;          // of an integer: "tokens", "MiB", "s"
  std::string_view choices;       // of a text, separated by "|"; "" = any
  std::string_view doc;
  std::string_view since;

  std::string flag_name() const;      // "--ctx"
  std::string variable_name() const;  // "PLINTH_ENGINE_CTX"
  // "integer from 0 to 1024 (threads)"
  std::string expected() const;
};

// In the order in which people meet them.
const std::vector<Setting>& declared_settings();

// Nothing in it is thread-safe before it is const.
class Settings {
 public:
  using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;
  struct Entry {
    Value value;
    std::string source;  // "default", "plinth.toml:3", "PLINTH_ENGINE_CTX", "--ctx"
  };

  Settings();

  // InvalidArgument names `file`, line and key of everything that is wrong: unknown keys (with the
  // nearest known one), wrong types, values out of bounds, TOML syntax.
  absl::Status read_toml(std::string_view text, const std::string& file);
  // `variables` as NAME=VALUE. A name PLINTH_<TABLE>_... of a known table must be a setting's; all
  // other names are somebody else's.
  absl::Status read_environment(const std::vector<std::string>& variables);
  // `text` as on the command line: "true", "12", "a,b". InvalidArgument names the source.
  absl::Status set(std::string_view key, std::string_view text, const std::string& source);

  absl::Status set_value(std::string_view key, Value value, const std::string& source);

  // The key is declared with that type: anything else is a bug of the caller.
  bool boolean(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  const std::vector<std::string>& list(std::string_view key) const;
  const Entry& entry(std::string_view key) const;
  // As set() takes it.
  std::string as_text(std::string_view key) const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

// docs/settings.md.
std::string settings_markdown();

}  // namespace plinth::base
