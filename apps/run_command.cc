#include "apps/run_command.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include "apps/chat_client.h"
#include "apps/command_line.h"
#include "apps/terminal.h"

namespace plinth {

namespace {

// What the service takes of a body, less its other fields.
constexpr std::size_t kInputBytesMax = 15u << 20;

struct RunArguments {
  ServiceFlags service;
  std::vector<std::string> prompt;
  std::string system;
  std::optional<int> max_tokens;
  std::optional<double> temperature, top_p;
  std::optional<std::int64_t> seed;
  bool json = false;
};

// What was piped or redirected into the command; nothing from a terminal or /dev/null.
absl::StatusOr<std::string> piped_input() {
  struct stat info {};
  if (::fstat(STDIN_FILENO, &info) != 0) return "";
  if (!S_ISFIFO(info.st_mode) && !S_ISREG(info.st_mode) && !S_ISSOCK(info.st_mode)) return "";
  std::string text;
  std::vector<char> buffer(1u << 16);
  while (true) {
    const auto n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::errno_status(errno, "standard input");
    if (n == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > kInputBytesMax) {
      return base::resource_exhausted("standard input is over the limit of 15 MiB");
    }
  }
}

// Empty where there is neither.
absl::StatusOr<std::string> collect_prompt(const RunArguments& arguments) {
  std::string prompt = fmt::format("{}", fmt::join(arguments.prompt, " "));
  ASSIGN_OR_RETURN(const std::string input, piped_input());
  if (!input.empty()) prompt += (prompt.empty() ? "" : "\n\n") + input;
  return prompt;
}

absl::Status run(const std::string& home, const std::string& prompt,
                 const RunArguments& arguments) {
  base::json::array messages;
  if (!arguments.system.empty()) {
    messages.push_back({{"role", "system"}, {"content", arguments.system}});
  }
  messages.push_back({{"role", "user"}, {"content", prompt}});
  base::json::object parameters;
  if (arguments.max_tokens) parameters["max_tokens"] = *arguments.max_tokens;
  if (arguments.temperature) parameters["temperature"] = *arguments.temperature;
  if (arguments.top_p) parameters["top_p"] = *arguments.top_p;
  if (arguments.seed) parameters["seed"] = *arguments.seed;

  ASSIGN_OR_RETURN(const auto service, connect_service(home, arguments.service));
  ChatSinks sinks;
  sinks.text = [&](std::string_view piece) {
    if (arguments.json) return;
    fmt::print("{}", piece);
    std::fflush(stdout);
  };
  const auto answer = stream_chat(service, messages, parameters, sinks);
  if (!arguments.json && answer.ok() && !answer->text.ends_with("\n")) fmt::print("\n");
  RETURN_IF_ERROR(answer.status());
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(base::json::object{{"model", service.model},
                                                        {"text", answer->text},
                                                        {"finish_reason", answer->finish_reason},
                                                        {"usage", answer->usage}}));
  } else if (answer->finish_reason == "length" && is_terminal(STDERR_FILENO)) {
    fmt::print(stderr, "{}\n", styled("(cut off at the limit of tokens)", "2"));
  }
  return absl::OkStatus();
}

}  // namespace

void add_run_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("run", "Answer one prompt on standard output");
  command->footer(
      "Examples:\n"
      "  plinth run \"Name three colours.\"\n"
      "  plinth run \"Summarise this:\" < notes.txt\n"
      "  plinth run -m qwen3-0.6b --temperature 0 --json \"What is a monad?\"\n"
      "Speaks to the service of the home; where none runs, starts one for as long as it takes.");
  const auto arguments = std::make_shared<RunArguments>();  // shared by the callback that is kept
  command->add_option("prompt", arguments->prompt, "What to say; piped input is appended");
  add_service_flags(*command, arguments->service);
  command->add_option("--system", arguments->system, "System message");
  command->add_option("--max-tokens", arguments->max_tokens, "Longest answer")->range(1, 1 << 24);
  command->add_option("--temperature", arguments->temperature, "0 = always the likeliest")
      ->range(0.0, 2.0);
  command->add_option("--top-p", arguments->top_p, "Nucleus of this probability")->range(0.0, 1.0);
  command->add_option("--seed", arguments->seed, "Same seed, same answer");
  command->add_flag("--json", arguments->json, "One JSON document with text and usage");
  command->callback([arguments, &home, &exit_code] {
    const auto prompt = collect_prompt(*arguments);
    if (prompt.ok() && prompt->empty()) {
      exit_code = report_usage("no prompt", "plinth run \"Hello!\", or pipe one in");
      return;
    }
    const auto status = prompt.ok() ? run(home, *prompt, *arguments) : prompt.status();
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
