#include "apps/completion_command.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <string>
#include <vector>

#include "apps/command_line.h"

namespace plinth {

namespace {

struct Word {
  std::string text;
  std::string doc;
};

// One command of the tree: its path ("model pull"), and the words that may follow.
struct Node {
  std::string path;
  std::vector<Word> commands;
  std::vector<Word> options;
};

std::string one_line(std::string text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? ' ' : c;
  return out;
}

void collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, {}, {}};
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      node.options.push_back({"--" + name, one_line(option->get_description())});
    }
    for (const auto& name : option->get_snames()) {
      node.options.push_back({"-" + name, one_line(option->get_description())});
    }
  }
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* command : commands) {
    if (command->get_group().empty()) continue;  // hidden
    node.commands.push_back({command->get_name(), one_line(command->get_description())});
  }
  nodes.push_back(std::move(node));
  for (const auto* command : commands) {
    if (command->get_group().empty()) continue;
    collect(*command, path + (path.empty() ? "" : " ") + command->get_name(), nodes);
  }
}

std::string words(const Node& node) {
  std::string text;
  for (const auto& word : node.commands) text += (text.empty() ? "" : " ") + word.text;
  for (const auto& word : node.options) text += (text.empty() ? "" : " ") + word.text;
  return text;
}

// In single quotes of a shell.
std::string shell_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// The path is the words before the cursor as long as they name commands.
constexpr char kBashFunction[] = R"(_plinth() {
  local path="" word index
  for ((index = 1; index < COMP_CWORD; ++index)); do
    word="${COMP_WORDS[index]}"
    [[ " ${_plinth_paths[*]} " == *" ${path:+$path/}$word "* ]] && path="${path:+$path/}$word"
  done
  COMPREPLY=($(compgen -W "${_plinth_words[/$path]}" -- "${COMP_WORDS[COMP_CWORD]}"))
  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
}
)";

void print_bash(const std::vector<Node>& nodes) {
  std::string paths;
  fmt::print("declare -A _plinth_words=(\n");
  for (const auto& node : nodes) {
    std::string path = node.path;
    for (char& c : path) c = c == ' ' ? '/' : c;
    fmt::print("  [/{}]={}\n", path, shell_quoted(words(node)));
    if (!path.empty()) paths += " " + path;
  }
  fmt::print(")\n_plinth_paths=({})\n{}complete -o filenames -F _plinth plinth\n",
             paths.empty() ? "" : paths.substr(1), kBashFunction);
}

void print_zsh(const std::vector<Node>& nodes) {
  fmt::print("#compdef plinth\nautoload -U +X bashcompinit && bashcompinit\n");
  print_bash(nodes);
}

void print_fish(const std::vector<Node>& nodes) {
  for (const auto& node : nodes) {
    std::string condition = "__fish_use_subcommand";
    if (!node.path.empty()) {
      condition.clear();
      std::string rest = node.path;
      while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        condition += fmt::format("{}__fish_seen_subcommand_from {}",
                                 condition.empty() ? "" : "; and ", rest.substr(0, end));
        rest.erase(0, end + 1);
      }
    }
    for (const auto& word : node.commands) {
      fmt::print("complete -c plinth -n {} -f -a {} -d {}\n", shell_quoted(condition), word.text,
                 shell_quoted(word.doc));
    }
    for (const auto& word : node.options) {
      const bool is_long = word.text.starts_with("--");
      fmt::print("complete -c plinth -n {} {} {} -d {}\n", shell_quoted(condition),
                 is_long ? "-l" : "-s", word.text.substr(is_long ? 2 : 1), shell_quoted(word.doc));
    }
  }
}

}  // namespace

void add_completion_command(Command& app) {
  auto* command = app.add_subcommand("completion", "Print a completion script for a shell");
  command->footer(
      "  bash  source <(plinth completion bash)            in ~/.bashrc\n"
      "  zsh   source <(plinth completion zsh)             in ~/.zshrc\n"
      "  fish  plinth completion fish > ~/.config/fish/completions/plinth.fish");
  const auto shell = std::make_shared<std::string>();  // shared by the callback that is kept
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->one_of({"bash", "zsh", "fish"});
  command->callback([shell, &app] {
    std::vector<Node> nodes;
    collect(app.cli(), "", nodes);
    if (*shell == "bash") print_bash(nodes);
    if (*shell == "zsh") print_zsh(nodes);
    if (*shell == "fish") print_fish(nodes);
  });
}

}  // namespace plinth
