#include "apps/bench_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "apps/bench_gateway_roles.h"
#include "apps/stream_load.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"

namespace plinth {

namespace {

struct Arguments {
  int streams = 256, tokens = 256, step_ms = 20;
  bool json = false;
  std::string role, home, socket;  // of the processes that the command starts itself
};

// The gateway as a process of its own, so that its CPU time and memory are its own.
class GatewayProcess {
 public:
  static absl::StatusOr<std::unique_ptr<GatewayProcess>> start(const std::string& home,
                                                               int step_ms) {
    auto gateway = std::unique_ptr<GatewayProcess>(new GatewayProcess());
    RETURN_IF_ERROR(gateway->spawn(home, step_ms));
    std::string line;
    char byte = 0;
    while (::read(gateway->from_.get(), &byte, 1) == 1 && byte != '\n') line += byte;
    const auto ready = base::parse_json(line);
    const auto* fields = ready.ok() ? ready->if_object() : nullptr;
    const auto* port = fields == nullptr ? nullptr : fields->if_contains("port");
    const auto* key = fields == nullptr ? nullptr : fields->if_contains("api_key");
    if (port == nullptr || !port->is_int64() || key == nullptr || !key->is_string())
      return base::unavailable("[bench] no gateway came up");
    gateway->port = static_cast<std::uint16_t>(port->get_int64());
    gateway->api_key = std::string(key->get_string());
    return gateway;
  }
  ~GatewayProcess() {
    to_.reset();
    int status = 0;
    if (pid_ > 0) ::waitpid(pid_, &status, 0);
  }

  // User and system time of all its threads.
  absl::StatusOr<double> cpu_seconds() const {
    ASSIGN_OR_RETURN(const auto text, base::read_file(fmt::format("/proc/{}/stat", pid_), 4096));
    // The fields after the name in parentheses; utime and stime are the 14th and 15th of all.
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::vector<std::string> words;
    for (std::string word; fields >> word;) words.push_back(word);
    if (words.size() < 13) return base::internal("[bench] /proc/PID/stat is short");
    return (std::stod(words[11]) + std::stod(words[12])) /
           static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  // "VmRSS" or "VmHWM", the most so far.
  absl::StatusOr<double> memory_mib(std::string_view field) const {
    ASSIGN_OR_RETURN(const auto text,
                     base::read_file(fmt::format("/proc/{}/status", pid_), 1 << 16));
    const auto at = text.find(std::string(field) + ":");
    if (at == std::string::npos) return base::internal("[bench] /proc/PID/status is short");
    return std::stod(text.substr(at + field.size() + 1)) / 1024;
  }

  std::uint16_t port = 0;
  std::string api_key;

 private:
  GatewayProcess() = default;

  absl::Status spawn(const std::string& home, int step_ms) {
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
      return base::errno_status(errno, "[bench] pipe");
    to_ = base::UniqueFd(in[1]);
    from_ = base::UniqueFd(out[0]);
    const base::UniqueFd their_in(in[0]), their_out(out[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::vector<std::string> words{"plinth", "bench",     "gateway",
                                   "--role", "gateway",   "--in",
                                   home,     "--step-ms", std::to_string(step_ms)};
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int error =
        ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? absl::OkStatus() : base::errno_status(error, "[bench] posix_spawn");
  }

  pid_t pid_ = 0;
  base::UniqueFd to_, from_;
};

void print_result(const Arguments& arguments, const StreamLoadResult& load, double cpu_us,
                  double idle_mib, double most_mib) {
  const double rate = static_cast<double>(load.tokens) / load.seconds;
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(base::json::object{{"bench", "gateway"},
                                                        {"streams", arguments.streams},
                                                        {"streams_held", load.held},
                                                        {"tokens", load.tokens},
                                                        {"chunks", load.chunks},
                                                        {"seconds", load.seconds},
                                                        {"tokens_per_s", rate},
                                                        {"cpu_us_per_token", cpu_us},
                                                        {"idle_rss_mib", idle_mib},
                                                        {"peak_rss_mib", most_mib}}));
    return;
  }
  fmt::print("streams      {} asked for, {} held at once\n", arguments.streams, load.held);
  fmt::print("tokens       {} in {:.1f} s: {:.0f} tokens/s, {} chunks\n", load.tokens, load.seconds,
             rate, load.chunks);
  fmt::print("gateway CPU  {:.2f} us per token\n", cpu_us);
  fmt::print("memory       {:.1f} MiB idle, {:.1f} MiB at most\n", idle_mib, most_mib);
}

absl::Status measure(const Arguments& arguments, const std::string& home) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto gateway, GatewayProcess::start(home, arguments.step_ms));
  ASSIGN_OR_RETURN(const double idle_mib, gateway->memory_mib("VmRSS"));
  StreamLoad load;
  load.port = gateway->port;
  load.api_key = gateway->api_key;
  load.model = kBenchModel;
  load.streams = arguments.streams;
  load.tokens = arguments.tokens;
  ASSIGN_OR_RETURN(const double before, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(const auto result, run_stream_load(load, clock));
  ASSIGN_OR_RETURN(const double after, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(const double most_mib, gateway->memory_mib("VmHWM"));
  print_result(arguments, result, (after - before) * 1e6 / static_cast<double>(result.tokens),
               idle_mib, most_mib);
  return absl::OkStatus();
}

absl::Status run(const Arguments& arguments) {
  if (arguments.role == "worker") return run_bench_worker(arguments.socket, arguments.step_ms);
  if (arguments.role == "gateway") return run_bench_gateway(arguments.home, arguments.step_ms);
  std::string home = std::filesystem::temp_directory_path() / "plinth-bench-XXXXXX";
  if (::mkdtemp(home.data()) == nullptr) return base::errno_status(errno, home);
  const auto status = measure(arguments, home);
  std::error_code ignored;
  std::filesystem::remove_all(home, ignored);
  return status;
}

}  // namespace

void add_bench_gateway_command(CLI::App& bench, int& exit_code) {
  auto* command = bench.add_subcommand(
      "gateway", "CPU time and memory of the gateway for streamed tokens, without a model");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback CLI11 keeps
  command->add_option("--streams", arguments->streams, "Streams at once")
      ->check(CLI::Range(1, 3000))
      ->capture_default_str();
  command->add_option("--tokens", arguments->tokens, "Tokens of each stream")
      ->check(CLI::Range(1, 1900))
      ->capture_default_str();
  command->add_option("--step-ms", arguments->step_ms, "Least time between two tokens of a stream")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON line");
  command->add_option("--role", arguments->role)->group("");
  command->add_option("--in", arguments->home)->group("");
  command->add_option("--socket", arguments->socket)->group("");
  command->callback([arguments, &exit_code] {
    const auto status = run(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
