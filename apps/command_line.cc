#include "apps/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/check.h"

namespace plinth {

CommandOption* CommandOption::required() {
  option_.required();
  return this;
}

CommandOption* CommandOption::excludes(CommandOption* other) {
  option_.excludes(&other->option_);
  return this;
}

CommandOption* CommandOption::excludes(const std::string& other) {
  option_.excludes(other);
  return this;
}

CommandOption* CommandOption::expected(int least, int most) {
  option_.expected(least, most);
  return this;
}

CommandOption* CommandOption::delimiter(char mark) {
  option_.delimiter(mark);
  return this;
}

CommandOption* CommandOption::allow_extra_args(bool may) {
  option_.allow_extra_args(may);
  return this;
}

template <class T>
CommandOption* CommandOption::range(T low, T high) {
  option_.check(CLI::Range(low, high));
  return this;
}

template CommandOption* CommandOption::range(int, int);
template CommandOption* CommandOption::range(std::int64_t, std::int64_t);
template CommandOption* CommandOption::range(double, double);

CommandOption* CommandOption::one_of(const std::vector<std::string>& words) {
  option_.check(CLI::IsMember(words));
  return this;
}

CommandOption* CommandOption::positive() {
  option_.check(CLI::PositiveNumber);
  return this;
}

CommandOption* CommandOption::not_negative() {
  option_.check(CLI::NonNegativeNumber);
  return this;
}

CommandOption* CommandOption::existing_file() {
  option_.check(CLI::ExistingFile);
  return this;
}

CommandOption* CommandOption::envname(const std::string& name) {
  option_.envname(name);
  return this;
}

CommandOption* CommandOption::capture_default_str() {
  option_.capture_default_str();
  return this;
}

CommandOption* CommandOption::group(const std::string& heading) {
  option_.group(heading);
  return this;
}

CommandOption* CommandOption::option_text(const std::string& text) {
  option_.option_text(text);
  return this;
}

Command* Command::add_subcommand(const std::string& name, const std::string& text) {
  return &commands_.emplace_back(*app_.add_subcommand(name, text));
}

Command* Command::get_subcommand(const std::string& name) {
  const auto* wanted = app_.get_subcommand(name);
  const auto found = std::find_if(commands_.begin(), commands_.end(),
                                  [wanted](const Command& one) { return &one.app_ == wanted; });
  CHECK(found != commands_.end());
  return &*found;
}

Command* Command::require_subcommand() {
  app_.require_subcommand(1);
  return this;
}

Command* Command::callback(std::function<void()> run) {
  app_.callback(std::move(run));
  return this;
}

Command* Command::footer(const std::string& text) {
  app_.footer(text);
  return this;
}

Command* Command::group(const std::string& heading) {
  app_.group(heading);
  return this;
}

CommandOption* Command::keep(CLI::Option* option) { return &options_.emplace_back(*option); }

template <class T>
CommandOption* Command::add_option(const std::string& name, T& into, const std::string& text) {
  return keep(app_.add_option(name, into, text));
}

CommandOption* Command::add_flag(const std::string& name, bool& into, const std::string& text) {
  return keep(app_.add_flag(name, into, text));
}

CommandOption* Command::add_option_function(const std::string& name,
                                            std::function<void(const std::string&)> take,
                                            const std::string& text) {
  return keep(app_.add_option_function<std::string>(name, take, text));
}

CommandOption* Command::add_choice_of_words(const std::string& name,
                                            const std::vector<std::string>& words,
                                            std::function<void(const std::string&)> take,
                                            const std::string& text) {
  auto* option = add_option_function(name, std::move(take), text);
  option->cli().transform(CLI::IsMember(words, CLI::ignore_case).description(""));
  return option->option_text("NAME");
}

#define PLINTH_OPTION_OF(...) \
  template CommandOption* Command::add_option(const std::string&, __VA_ARGS__&, const std::string&)
PLINTH_OPTION_OF(int);
PLINTH_OPTION_OF(std::int64_t);
PLINTH_OPTION_OF(std::uint64_t);
PLINTH_OPTION_OF(double);
PLINTH_OPTION_OF(std::string);
PLINTH_OPTION_OF(std::optional<int>);
PLINTH_OPTION_OF(std::optional<std::int64_t>);
PLINTH_OPTION_OF(std::optional<double>);
PLINTH_OPTION_OF(std::vector<int>);
PLINTH_OPTION_OF(std::vector<double>);
PLINTH_OPTION_OF(std::vector<std::string>);
#undef PLINTH_OPTION_OF

}  // namespace plinth
