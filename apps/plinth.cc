// The one program: reads the command line and runs a subcommand.
// Exit codes: 0 fine, 1 failed, 2 usage.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <string>
#include <vector>

#include "apps/admin_command.h"
#include "apps/bench_command.h"
#include "apps/chat_command.h"
#include "apps/command_line.h"
#include "apps/completion_command.h"
#include "apps/doctor_command.h"
#include "apps/eval_command.h"
#include "apps/finetune_command.h"
#include "apps/model_command.h"
#include "apps/run_command.h"
#include "apps/settings_flags.h"
#include "apps/terminal.h"
#include "apps/train_command.h"
#include "apps/tuning_process.h"
#include "apps/up_command.h"
#include "apps/version_command.h"
#include "apps/worker_command.h"
#include "base/near_name.h"

namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  plinth up                            start the service on 127.0.0.1:8080\n"
    "  plinth chat                          talk to it\n"
    "  plinth run \"Name three colours.\"     one answer, for scripts\n"
    "  plinth model pull qwen3-0.6b         another model\n"
    "  plinth doctor                        what is wrong, and how to mend it\n"
    "Exit codes: 0 fine, 1 failed, 2 usage. `plinth COMMAND --help` says more.";

// Where a command line stops to make sense.
struct Stumble {
  std::string command;  // the commands before it: "plinth model"
  std::string word;     // that is neither a command nor an option there; "" = another error
  std::vector<std::string> known;
};

bool is_option(const CLI::App& app, const std::string& word) {
  for (const auto* at = &app; at != nullptr; at = at->get_parent()) {
    if (at->get_option_no_throw(word) != nullptr) return true;
  }
  return false;
}

Stumble find_stumble(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  Stumble stumble{app.get_name(), "", {}};
  bool after_option = false;
  for (const auto& word : words) {
    const auto commands = at->get_subcommands([](const CLI::App*) { return true; });
    const auto named = std::find_if(commands.begin(), commands.end(),
                                    [&](const auto* other) { return other->get_name() == word; });
    const bool option = word.starts_with("-") && word.size() > 1;
    if (named != commands.end()) {
      at = *named;
      stumble.command += " " + word;
    } else if (option ? !is_option(*at, word.substr(0, word.find('=')))
                      : !commands.empty() && !after_option) {
      stumble.word = word;
      break;
    }
    after_option = option;
  }
  for (const auto* command : at->get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) stumble.known.push_back(command->get_name());
  }
  for (const auto* option : at->get_options()) {
    for (const auto& name : option->get_lnames()) stumble.known.push_back("--" + name);
  }
  return stumble;
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& error,
                       const std::vector<std::string>& words) {
  const auto stumble = find_stumble(app, words);
  const std::string hint = stumble.command + " --help";
  if (stumble.word.empty()) return plinth::report_usage(error.what(), hint);
  return plinth::report_usage(
      fmt::format(
          "{}: no such {}{}", stumble.word, stumble.word.starts_with("-") ? "option" : "command",
          plinth::base::did_you_mean(stumble.word, {stumble.known.begin(), stumble.known.end()})),
      hint);
}

}  // namespace

int main(int argc, char** argv) {
  // A file at the limit of its size is an error that a pull reports, not the end.
  ::signal(SIGXFSZ, SIG_IGN);
  CLI::App line("Plinth: the AI cloud you own", "plinth");
  line.fallthrough();
  line.set_version_flag("--version", "plinth " PLINTH_VERSION, "Print the version");
  plinth::Command app(line);
  app.footer(kExamples);
  app.require_subcommand();
  std::string home;
  int exit_code = 0;
  app.add_option("--home", home, "Data folder (default: PLINTH_HOME, else ~/.local/share/plinth)");
  plinth::add_up_command(app, home, exit_code);
  plinth::add_chat_command(app, home, exit_code);
  plinth::add_run_command(app, home, exit_code);
  plinth::add_model_command(app, home, exit_code);
  plinth::add_finetune_command(app, home, exit_code);
  plinth::add_eval_command(app, home, exit_code);
  plinth::add_train_command(app, home, exit_code);
  plinth::add_admin_command(app, home, exit_code);
  plinth::add_doctor_command(app, home, exit_code);
  plinth::add_settings_command(app, home, exit_code);
  plinth::add_bench_command(app, home, exit_code);
  plinth::add_worker_command(app, exit_code);
  plinth::add_tuning_command(app, exit_code);
  plinth::add_version_command(app);
  plinth::add_completion_command(app);
  if (argc == 1) {
    fmt::print("{}", line.help());
    return 2;
  }
  try {
    line.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return line.exit(error);
    return report_usage_error(line, error, {argv + 1, argv + argc});
  }
  return exit_code;
}
