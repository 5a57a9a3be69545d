// What a command line may hold, as the commands declare it. CLI11 does the work, in one unit: its
// headers alone take a compiler five to ten seconds in each unit that includes them.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace plinth {

// An option, flag or positional word of a command. What it is given but fails a check is a usage
// error. Each member returns the option itself.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option& option) : option_(option) {}
  CommandOption(const CommandOption&) = delete;
  CommandOption& operator=(const CommandOption&) = delete;

  CommandOption* required();
  CommandOption* excludes(CommandOption* other);
  CommandOption* excludes(const std::string& other);
  // How many words follow it.
  CommandOption* expected(int least, int most);
  CommandOption* expected(int words) { return expected(words, words); }
  // One word holds several, with `mark` between them.
  CommandOption* delimiter(char mark);
  // Whether each time that it is given, more than one word may follow.
  CommandOption* allow_extra_args(bool may);
  // `low` and `high` are good themselves. T: int, std::int64_t, double.
  template <class T>
  CommandOption* range(T low, T high);
  CommandOption* one_of(const std::vector<std::string>& words);
  CommandOption* positive();
  CommandOption* not_negative();
  CommandOption* existing_file();
  // The variable of the environment that stands in for it.
  CommandOption* envname(const std::string& name);
  // In --help: what its variable holds by now; the heading ("" hides it); what stands for a value.
  CommandOption* capture_default_str();
  CommandOption* group(const std::string& heading);
  CommandOption* option_text(const std::string& text);

  // What CLI11 offers beyond these, for the few units that include it.
  CLI::Option& cli() { return option_; }

 private:
  CLI::Option& option_;
};

// A command, with its options and the commands under it, which it owns. Variables and callbacks are
// kept by reference until the line is read.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(app) {}
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  Command* add_subcommand(const std::string& name, const std::string& text);
  // `name` must have been added.
  Command* get_subcommand(const std::string& name);
  Command* require_subcommand();
  Command* callback(std::function<void()> run);
  Command* footer(const std::string& text);
  // "" hides it.
  Command* group(const std::string& heading);

  // `name` without dashes is a positional word. T: bool, an integer, a floating-point number, a
  // text, std::optional or std::vector of them (command_line.cc has the list).
  template <class T>
  CommandOption* add_option(const std::string& name, T& into, const std::string& text = "");
  CommandOption* add_flag(const std::string& name, bool& into, const std::string& text = "");
  CommandOption* add_option_function(const std::string& name,
                                     std::function<void(const std::string&)> take,
                                     const std::string& text = "");
  // One of `names`, in any case of letters, for the value beside it.
  template <class T>
  CommandOption* add_choice(const std::string& name, T& into, const std::map<std::string, T>& names,
                            const std::string& text) {
    std::vector<std::string> words;
    for (const auto& [word, value] : names) words.push_back(word);
    return add_choice_of_words(
        name, words, [&into, names](const std::string& word) { into = names.at(word); }, text);
  }

  // What CLI11 offers beyond these, for the few units that include it.
  CLI::App& cli() { return app_; }

 private:
  CommandOption* add_choice_of_words(const std::string& name, const std::vector<std::string>& words,
                                     std::function<void(const std::string&)> take,
                                     const std::string& text);
  CommandOption* keep(CLI::Option* option);

  CLI::App& app_;
  std::deque<Command> commands_;
  std::deque<CommandOption> options_;
};

}  // namespace plinth
