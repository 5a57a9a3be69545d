#include "base/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "base/check.h"
#include "base/near_name.h"

namespace plinth::base {

namespace {

const Setting* find_setting(std::string_view key) {
  for (const auto& setting : declared_settings()) {
    if (setting.key == key) return &setting;
  }
  return nullptr;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Nothing where the text has not the form of the setting's type.
std::optional<Settings::Value> parse_value(const Setting& setting, std::string_view text) {
  switch (setting.type) {
    case SettingType::boolean:
      if (text == "true" || text == "on" || text == "1") return true;
      if (text == "false" || text == "off" || text == "0") return false;
      return std::nullopt;
    case SettingType::integer: {
      std::int64_t value = 0;
      const char* end = text.data() + text.size();
      const auto parsed = std::from_chars(text.data(), end, value);
      if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
      return value;
    }
    case SettingType::text:
      return std::string(text);
    case SettingType::list:
      return split(text, ',');
  }
  return std::nullopt;
}

bool allowed(const Setting& setting, const Settings::Value& value) {
  if (value.index() != static_cast<std::size_t>(setting.type)) return false;
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return *number >= setting.min && *number <= setting.max;
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || setting.choices.empty()) return true;
  const auto choices = split(setting.choices, '|');
  return std::find(choices.begin(), choices.end(), *text) != choices.end();
}

std::string shown(const Settings::Value& value) {
  if (const auto* on = std::get_if<bool>(&value)) return *on ? "true" : "false";
  if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
  if (const auto* words = std::get_if<std::string>(&value)) return *words;
  return fmt::format("{}", fmt::join(std::get<std::vector<std::string>>(value), ","));
}

}  // namespace

std::string Setting::flag_name() const {
  if (!flag.empty()) return std::string(flag);
  std::string name = "--" + std::string(key);
  std::replace(name.begin(), name.end(), '.', '-');
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

std::string Setting::variable_name() const {
  std::string name = "PLINTH_" + std::string(key);
  std::replace(name.begin(), name.end(), '.', '_');
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name;
}

std::string Setting::expected() const {
  switch (type) {
    case SettingType::boolean:
      return "true or false";
    case SettingType::integer:
      return fmt::format("an integer from {} to {} ({})", min, max, unit);
    case SettingType::text:
      return choices.empty() ? "a text"
                             : fmt::format("one of {}", fmt::join(split(choices, '|'), ", "));
    case SettingType::list:
      return "a list of texts";
  }
  return "";
}

Settings::Settings() {
  for (const auto& setting : declared_settings()) {
    auto value = parse_value(setting, setting.default_text);
    CHECK(value.has_value() && allowed(setting, *value));
    entries_.emplace(setting.key, Entry{*std::move(value), "default"});
  }
}

absl::Status Settings::set(std::string_view key, std::string_view text, const std::string& source) {
  const Setting* setting = find_setting(key);
  auto value = setting == nullptr ? std::nullopt : parse_value(*setting, text);
  return set_value(key, value.has_value() ? *std::move(value) : std::string(text), source);
}

absl::Status Settings::set_value(std::string_view key, Value value, const std::string& source) {
  const Setting* setting = find_setting(key);
  if (setting == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& other : declared_settings()) known.push_back(other.key);
    return invalid_argument(
        fmt::format("{}: {}: no such setting{}", source, key, did_you_mean(key, known)));
  }
  if (!allowed(*setting, value)) {
    return invalid_argument(fmt::format("{}: {}: expected {}, got \"{}\"", source, key,
                                        setting->expected(), shown(value)));
  }
  entries_.insert_or_assign(std::string(key), Entry{std::move(value), source});
  return absl::OkStatus();
}

absl::Status Settings::read_environment(const std::vector<std::string>& variables) {
  for (const auto& variable : variables) {
    const auto equals = variable.find('=');
    if (equals == std::string::npos || !variable.starts_with("PLINTH_")) continue;
    const std::string name = variable.substr(0, equals);
    const Setting* found = nullptr;
    bool ours = false;
    std::vector<std::string> known;
    for (const auto& setting : declared_settings()) {
      known.push_back(setting.variable_name());
      if (known.back() == name) found = &setting;
      const auto table = known.back().substr(0, known.back().find('_', 7) + 1);
      ours = ours || name.starts_with(table);
    }
    if (found != nullptr) {
      RETURN_IF_ERROR(set(found->key, variable.substr(equals + 1), name));
    } else if (ours) {
      return invalid_argument(fmt::format("{}: no such setting{}", name,
                                          did_you_mean(name, {known.begin(), known.end()})));
    }
  }
  return absl::OkStatus();
}

const Settings::Entry& Settings::entry(std::string_view key) const {
  const auto found = entries_.find(key);
  CHECK(found != entries_.end());
  return found->second;
}

bool Settings::boolean(std::string_view key) const { return std::get<bool>(entry(key).value); }

std::int64_t Settings::integer(std::string_view key) const {
  return std::get<std::int64_t>(entry(key).value);
}

const std::string& Settings::text(std::string_view key) const {
  return std::get<std::string>(entry(key).value);
}

const std::vector<std::string>& Settings::list(std::string_view key) const {
  return std::get<std::vector<std::string>>(entry(key).value);
}

std::string Settings::as_text(std::string_view key) const { return shown(entry(key).value); }

std::string settings_markdown() {
  std::string out =
      "# Settings\n\n"
      "Generated from src/base/settings_table.cc by `plinth settings --markdown`.\n\n"
      "Three places, each over the one before: `plinth.toml` in the home, an environment variable, "
      "a flag of\n`plinth up`. `plinth settings` prints every value and where it came from. An "
      "unknown key or a value of the\nwrong type is an error that names the file, the line and the "
      "key.\n\n"
      "```toml\n[server]\nlisten = \"127.0.0.1:9000\"\n[models]\nload = [\"qwen3-0.6b\"]\n```\n";
  std::string_view table;
  for (const auto& setting : declared_settings()) {
    const auto dot = setting.key.find('.');
    if (setting.key.substr(0, dot) != table) {
      table = setting.key.substr(0, dot);
      out += fmt::format("\n## [{}]\n\n", table);
      out += "| key | default | value | flag, variable | since | what it does |\n";
      out += "|---|---|---|---|---|---|\n";
    }
    out += fmt::format(
        "| `{}` | {} | {} | `{}` `{}` | {} | {} |\n", setting.key.substr(dot + 1),
        setting.default_text.empty() ? "none" : fmt::format("`{}`", setting.default_text),
        setting.expected(), setting.flag_name(), setting.variable_name(), setting.since,
        setting.doc);
  }
  return out;
}

}  // namespace plinth::base
