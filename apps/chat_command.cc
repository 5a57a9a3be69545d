#include "apps/chat_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "apps/chat_client.h"
#include "apps/command_line.h"
#include "apps/line_editor.h"
#include "apps/terminal.h"
#include "base/near_name.h"

namespace plinth {

namespace {

constexpr char kHelp[] =
    "  /help               this text\n"
    "  /clear              forget the conversation\n"
    "  /model [NAME]       show or change the model\n"
    "  /system [TEXT]      show or change the system message; - removes it\n"
    "  /set [NAME VALUE]   show or change a parameter, e.g. /set temperature 0.7; - removes it\n"
    "  /quit               leave (Ctrl-D too)\n"
    "A line that ends with \\ goes on in the next. Ctrl-C stops an answer.\n";

constexpr std::array<std::string_view, 10> kParameters{
    "temperature",      "top_p", "top_k",    "min_p", "seed", "max_tokens", "frequency_penalty",
    "presence_penalty", "stop",  "typical_p"};

volatile sig_atomic_t interrupted = 0;

void on_interrupt(int) { interrupted = 1; }

class Conversation {
 public:
  Conversation(ServiceConnection service, const std::string& system)
      : service_(std::move(service)), system_(system) {}

  void greet() const {
    if (!is_terminal(STDOUT_FILENO)) return;
    fmt::print("{} at {}. /help lists what you can do; Ctrl-D leaves.\n", service_.model,
               service_.url);
  }

  void talk() {
    const std::string prompt = is_terminal(STDOUT_FILENO) ? "> " : "";
    while (true) {
      interrupted = 0;
      auto line = editor_.read(prompt);
      while (line.has_value() && line->ends_with("\\")) {
        line->back() = '\n';
        const auto more = editor_.read(is_terminal(STDOUT_FILENO) ? ". " : "");
        if (!more.has_value()) break;
        *line += *more;
      }
      if (!line.has_value()) {
        if (is_terminal(STDOUT_FILENO)) fmt::print("\n");
        return;
      }
      if (line->find_first_not_of(" \t\n") == std::string::npos) continue;
      if (line->starts_with("/")) {
        if (!command(*line)) return;
      } else {
        ask(*line);
      }
      std::fflush(stdout);
    }
  }
  bool failed() const { return failed_; }

 private:
  void ask(const std::string& text) {
    history_.push_back({{"role", "user"}, {"content", text}});
    base::json::array messages;
    if (!system_.empty()) messages.push_back({{"role", "system"}, {"content", system_}});
    messages.insert(messages.end(), history_.begin(), history_.end());
    ChatSinks sinks;
    sinks.text = [](std::string_view piece) {
      fmt::print("{}", piece);
      std::fflush(stdout);
    };
    sinks.stop = [] { return interrupted != 0; };
    const auto answer = stream_chat(service_, messages, parameters_, sinks);
    fmt::print("\n");
    failed_ = !answer.ok();
    if (!answer.ok()) {
      history_.pop_back();
      report(answer.status());
      return;
    }
    if (answer->stopped) fmt::print(stderr, "{}\n", styled("(stopped)", "2"));
    if (answer->finish_reason == "length") {
      fmt::print(stderr, "{}\n", styled("(cut off at the limit of tokens)", "2"));
    }
    history_.push_back({{"role", "assistant"}, {"content", answer->text}});
  }

  // False ends the conversation.
  bool command(const std::string& line) {
    const auto space = std::min(line.find_first_of(" \n"), line.size());
    const std::string name = line.substr(0, space);
    std::string rest = line.substr(space);
    rest.erase(0, std::min(rest.find_first_not_of(" \n"), rest.size()));
    if (name == "/quit" || name == "/exit" || name == "/bye") return false;
    if (name == "/help") {
      fmt::print("{}", kHelp);
    } else if (name == "/clear") {
      history_.clear();
      fmt::print("cleared\n");
    } else if (name == "/model") {
      change_model(rest);
    } else if (name == "/system") {
      if (!rest.empty()) system_ = rest == "-" ? "" : rest;
      fmt::print("system: {}\n", system_.empty() ? "(none)" : system_);
    } else if (name == "/set") {
      change_parameter(rest);
    } else {
      fmt::print(
          "{}: no such command{}\n", name,
          base::did_you_mean(name, {"/help", "/clear", "/model", "/system", "/set", "/quit"}));
    }
    return true;
  }

  void change_model(const std::string& name) {
    if (!name.empty()) {
      const auto status = switch_model(service_, name);
      if (!status.ok()) {
        report(status);
        return;
      }
    }
    fmt::print("model: {}\n", service_.model);
  }

  void change_parameter(const std::string& text) {
    const auto space = text.find(' ');
    const std::string name = text.substr(0, space);
    if (!name.empty() &&
        std::find(kParameters.begin(), kParameters.end(), name) == kParameters.end()) {
      fmt::print("{}: no such parameter{}\n", name,
                 base::did_you_mean(name, {kParameters.begin(), kParameters.end()}));
      return;
    }
    if (space != std::string::npos) {
      const std::string value = text.substr(space + 1);
      const auto parsed = base::parse_json(value);
      if (value == "-") {
        parameters_.erase(name);
      } else if (name == "stop") {
        parameters_[name] = value;
      } else if (!parsed.ok() || !parsed->is_number()) {
        fmt::print("{}: {} is no number\n", name, value);
        return;
      } else {
        parameters_[name] = *parsed;
      }
    }
    if (parameters_.empty()) fmt::print("every parameter is the model's own\n");
    for (const auto& [key, value] : parameters_) {
      fmt::print("{} = {}\n", std::string_view(key.data(), key.size()), base::to_json(value));
    }
  }

  ServiceConnection service_;
  std::string system_;
  base::json::array history_;
  base::json::object parameters_;
  LineEditor editor_;
  bool failed_ = false;
};

}  // namespace

void add_chat_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("chat", "Talk to a model in the terminal");
  command->footer(
      "Example:\n  plinth chat -m qwen3-0.6b --system \"Answer in one sentence.\"\n"
      "Speaks to the service of the home; where none runs, starts one for as long as it takes.");
  struct Arguments {
    ServiceFlags service;
    std::string system;
  };
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  add_service_flags(*command, arguments->service);
  command->add_option("--system", arguments->system, "System message");
  command->callback([arguments, &home, &exit_code] {
    auto service = connect_service(home, arguments->service);
    if (!service.ok()) {
      exit_code = report(service.status());
      return;
    }
    // No SA_RESTART: the read of a line ends, too.
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    ::sigaction(SIGINT, &action, nullptr);
    Conversation conversation(*std::move(service), arguments->system);
    conversation.greet();
    conversation.talk();
    // Of a script the last answer tells; a person has seen it.
    exit_code = conversation.failed() && !is_terminal(STDIN_FILENO) ? 1 : 0;
  });
}

}  // namespace plinth
