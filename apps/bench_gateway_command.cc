#include "apps/bench_command.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/bench_gateway_process.h"
#include "apps/bench_gateway_roles.h"
#include "apps/bench_home.h"
#include "apps/command_line.h"
#include "apps/stream_load.h"
#include "apps/terminal.h"
#include "base/json.h"

namespace plinth {

namespace {

struct Arguments {
  int streams = 256, tokens = 256, step_ms = 20;
  bool json = false;
  std::string role, home, socket, database;  // of the processes that the command starts itself
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
  ASSIGN_OR_RETURN(const auto gateway, GatewayProcess::start(home, arguments.step_ms, ""));
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
  if (arguments.role.starts_with("bare")) return run_bench_bare_server(arguments.role != "bare");
  if (arguments.role == "gateway")
    return run_bench_gateway(arguments.home, arguments.step_ms, arguments.database);
  return in_bench_home([&](const std::string& home) { return measure(arguments, home); });
}

}  // namespace

void add_bench_gateway_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand(
      "gateway", "CPU time and memory of the gateway for streamed tokens, without a model");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  command->add_option("--streams", arguments->streams, "Streams at once")
      ->range(1, 3000)
      ->capture_default_str();
  command->add_option("--tokens", arguments->tokens, "Tokens of each stream")
      ->range(1, 1900)
      ->capture_default_str();
  command->add_option("--step-ms", arguments->step_ms, "Least time between two tokens of a stream")
      ->range(0, 10'000)
      ->capture_default_str();
  command->add_flag("--json", arguments->json, "One JSON line");
  command->add_option("--role", arguments->role)->group("");
  command->add_option("--in", arguments->home)->group("");
  command->add_option("--socket", arguments->socket)->group("");
  command->add_option("--database", arguments->database)->group("");
  command->callback([arguments, &exit_code] {
    const auto status = run(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
