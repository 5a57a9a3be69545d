#include "apps/settings_flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"

namespace plinth {

namespace {

constexpr std::size_t kSettingsBytesMax = 1u << 20;

base::json::value to_json_value(const base::Settings::Value& value) {
  return std::visit(
      [](const auto& held) -> base::json::value { return base::json::value_from(held); }, value);
}

void print_for_people(const base::Settings& settings) {
  std::string_view table;
  for (const auto& setting : base::declared_settings()) {
    const auto dot = setting.key.find('.');
    if (setting.key.substr(0, dot) != table) {
      table = setting.key.substr(0, dot);
      fmt::print("{}[{}]\n",
                 table == base::declared_settings().front().key.substr(0, dot) ? "" : "\n", table);
    }
    const auto& entry = settings.entry(setting.key);
    base::json::value value = to_json_value(entry.value);
    fmt::print("{} = {}  # {}\n", setting.key.substr(dot + 1), base::to_json(value), entry.source);
    fmt::print("  # {}\n  # {}; {}, {}\n", setting.doc, setting.expected(), setting.flag_name(),
               setting.variable_name());
  }
}

void print_as_json(const base::Settings& settings) {
  base::json::array all;
  for (const auto& setting : base::declared_settings()) {
    const auto& entry = settings.entry(setting.key);
    all.push_back({{"key", setting.key},
                   {"value", to_json_value(entry.value)},
                   {"source", entry.source},
                   {"default", setting.default_text},
                   {"expected", setting.expected()},
                   {"flag", setting.flag_name()},
                   {"variable", setting.variable_name()},
                   {"since", setting.since},
                   {"doc", setting.doc}});
  }
  fmt::print("{}\n", base::to_json(all));
}

}  // namespace

SettingFlags::SettingFlags(Command& command, const std::vector<std::string_view>& tables) {
  for (const auto& setting : base::declared_settings()) {
    const auto table = setting.key.substr(0, setting.key.find('.'));
    if (std::find(tables.begin(), tables.end(), table) == tables.end()) continue;
    const std::string name = setting.flag_name();
    const std::string doc(setting.doc);
    CLI::Option* option = nullptr;
    if (setting.type == base::SettingType::boolean) {
      option = command.cli().add_flag(name + ",!--no-" + name.substr(2), doc);
    } else {
      option = command.cli().add_option(name, doc);
      const bool number = setting.type == base::SettingType::integer;
      option->type_name(number ? std::string(setting.unit) : "TEXT");
      if (!setting.choices.empty()) option->type_name(std::string(setting.choices));
      // Wrappers put their own flags in front of what a person adds.
      if (setting.type == base::SettingType::list) {
        option->expected(1)->take_all();
      } else {
        option->take_last();
      }
      if (!setting.default_text.empty()) option->default_str(std::string(setting.default_text));
      option->check(
          [key = setting.key, name](const std::string& text) {
            base::Settings scratch;
            return std::string(base::message(scratch.set(key, text, name)));
          },
          "");
    }
    options_.emplace_back(&setting, option->group("Settings"));
  }
}

absl::Status SettingFlags::apply(base::Settings& settings) const {
  for (const auto& [setting, option] : options_) {
    if (option->count() == 0) continue;
    const std::string name = setting->flag_name();
    if (setting->type == base::SettingType::list) {
      RETURN_IF_ERROR(settings.set_value(setting->key, option->results(), name));
    } else {
      RETURN_IF_ERROR(settings.set(setting->key, option->as<std::string>(), name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<base::Settings> load_settings(const std::string& home, const SettingFlags* flags) {
  base::Settings settings;
  const std::string path = home + "/plinth.toml";
  const auto text = base::read_file(path, kSettingsBytesMax);
  if (text.ok()) {
    RETURN_IF_ERROR(settings.read_toml(*text, path));
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  RETURN_IF_ERROR(settings.read_environment(variables));
  if (flags != nullptr) RETURN_IF_ERROR(flags->apply(settings));
  return settings;
}

void add_settings_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("settings", "Print every setting, its value and its source");
  struct Arguments {
    bool json = false, markdown = false;
  };
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_flag("--json", arguments->json, "One JSON document on stdout");
  command->add_flag("--markdown", arguments->markdown, "The reference page docs/settings.md");
  command->callback([arguments, &home, &exit_code] {
    if (arguments->markdown) {
      fmt::print("{}", base::settings_markdown());
      return;
    }
    const auto folder = find_home(home);
    const auto settings = folder.ok() ? load_settings(*folder, nullptr)
                                      : absl::StatusOr<base::Settings>(folder.status());
    if (!settings.ok()) {
      exit_code = report(settings.status());
    } else if (arguments->json) {
      print_as_json(*settings);
    } else {
      print_for_people(*settings);
    }
  });
}

}  // namespace plinth
