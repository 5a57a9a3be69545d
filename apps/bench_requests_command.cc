// plinth bench requests: what authentication, limits and a durable ledger add to short requests.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <numeric>
#include <vector>

#include "apps/bench_command.h"
#include "apps/bench_gateway_process.h"
#include "apps/bench_gateway_roles.h"
#include "apps/bench_home.h"
#include "apps/command_line.h"
#include "apps/request_load.h"
#include "apps/serve/load_math.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"

namespace plinth {

namespace {

struct Arguments {
  int connections = 64, tokens = 16, port = 0, commits = 1000;
  double seconds = 10, rate = 0;
  std::uint64_t seed = 1;
  bool stream = false, json = false;
  std::string database, api_key, model = kBenchModel;
};

std::string chat_body(const Arguments& arguments) {
  base::json::object body{{"model", arguments.model},
                          {"messages", base::json::array{{{"role", "user"}, {"content", "hello"}}}},
                          {"max_tokens", arguments.tokens}};
  if (arguments.stream) {
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
  }
  if (arguments.port == 0) {  // the fake model's: the letter a, until the limit
    body["ignore_eos"] = true;
    body["temperature"] = 0;
    body["logit_bias"] = {{"97", 100}};
  }
  return base::to_json(body);
}

// What the disk of `folder` takes to be sure of a page: write and fdatasync, as a commit does.
absl::StatusOr<std::vector<double>> commit_times_ms(const std::string& folder, int commits,
                                                    const base::Clock& clock) {
  const std::string path = folder + "/commits";
  const base::UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  if (!file.valid()) return base::errno_status(errno, path);
  const std::array<char, 4096> page{};
  std::vector<double> times;
  for (int i = 0; i < commits; ++i) {
    const auto begun = clock.now();
    if (::write(file.get(), page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
        ::fdatasync(file.get()) != 0) {
      return base::errno_status(errno, path);
    }
    times.push_back(std::chrono::duration<double, std::milli>(clock.now() - begun).count());
  }
  return times;
}

base::json::object to_object(const serve::Percentiles& values) {
  return {{"p50", values.p50}, {"p99", values.p99}, {"max", values.max}};
}

void print_row(std::string_view name, const serve::Percentiles& values) {
  fmt::print("{:<18} p50 {:.2f} ms, p99 {:.2f} ms, at most {:.2f} ms\n", name, values.p50,
             values.p99, values.max);
}

void print_result(const Arguments& arguments, const RequestLoadResult& result, double cpu_us,
                  double memory_mib, const std::vector<double>& commits) {
  const auto first = serve::percentiles(result.first_byte_ms);
  const auto last = serve::percentiles(result.last_byte_ms);
  const auto delay = serve::percentiles(result.send_delay_ms);
  const auto commit = serve::percentiles(commits);
  const double rate = static_cast<double>(result.answered) / result.seconds;
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(base::json::object{{"bench", "requests"},
                                                        {"connections", arguments.connections},
                                                        {"rate_asked", arguments.rate},
                                                        {"stream", arguments.stream},
                                                        {"answered", result.answered},
                                                        {"requests_per_s", rate},
                                                        {"first_byte_ms", to_object(first)},
                                                        {"last_byte_ms", to_object(last)},
                                                        {"send_delay_ms", to_object(delay)},
                                                        {"commit_ms", to_object(commit)},
                                                        {"cpu_us_per_request", cpu_us},
                                                        {"peak_rss_mib", memory_mib}}));
    return;
  }
  fmt::print("{:<18} {} in {:.1f} s: {:.0f} a second\n", "requests", result.answered,
             result.seconds, rate);
  print_row("first byte", first);
  print_row("last byte", last);
  print_row("sent late by", delay);
  if (commits.empty()) return;
  print_row("disk's commit", commit);
  fmt::print("{:<18} {:.0f} us of CPU a request, {:.1f} MiB at most\n", "gateway", cpu_us,
             memory_mib);
}

RequestLoad load_of(const Arguments& arguments) {
  RequestLoad load;
  load.port = static_cast<std::uint16_t>(arguments.port);
  load.api_key = arguments.api_key;
  load.body = chat_body(arguments);
  load.connections = arguments.connections;
  load.seconds = arguments.seconds;
  load.warm_up_s = 1;
  load.rate_per_s = arguments.rate;
  load.seed = arguments.seed;
  return load;
}

absl::Status measure(const Arguments& arguments, const std::string& home) {
  const base::RealClock clock;
  auto load = load_of(arguments);
  if (arguments.port != 0) {
    ASSIGN_OR_RETURN(const auto result, run_request_load(load, clock));
    print_result(arguments, result, 0, 0, {});
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const auto commits, commit_times_ms(home, arguments.commits, clock));
  ASSIGN_OR_RETURN(const auto gateway, GatewayProcess::start(home, 0, arguments.database));
  load.port = gateway->port;
  load.api_key = gateway->api_key;
  ASSIGN_OR_RETURN(const double before, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(const auto result, run_request_load(load, clock));
  ASSIGN_OR_RETURN(const double after, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(const double most_mib, gateway->memory_mib("VmHWM"));
  const double part = arguments.seconds / (arguments.seconds + load.warm_up_s);
  print_result(arguments, result,
               (after - before) * 1e6 * part / static_cast<double>(result.answered), most_mib,
               commits);
  return absl::OkStatus();
}

absl::Status run(const Arguments& arguments) {
  return in_bench_home([&](const std::string& home) { return measure(arguments, home); });
}

void add_options(Command& command, Arguments& arguments) {
  command.add_option("--connections", arguments.connections, "Connections, which are kept")
      ->range(1, 3000)
      ->capture_default_str();
  command
      .add_option("--rate", arguments.rate,
                  "Requests a second, at random times; 0: each connection asks again when it is "
                  "answered")
      ->range(0.0, 1e6)
      ->capture_default_str();
  command.add_option("--seconds", arguments.seconds, "How long, after a second of warm-up")
      ->range(1.0, 3600.0)
      ->capture_default_str();
  command.add_option("--tokens", arguments.tokens, "Tokens of each answer")
      ->range(1, 1900)
      ->capture_default_str();
  command.add_option("--seed", arguments.seed, "Of the times")->capture_default_str();
  command.add_flag("--stream", arguments.stream, "Ask for streams");
  command.add_option("--database", arguments.database,
                     "An empty database for the ledger, as `plinth up` names it; none: SQLite");
  command
      .add_option("--port", arguments.port, "Measure what listens there instead, for a comparison")
      ->range(1, 65535);
  command.add_option("--api-key", arguments.api_key, "Its key");
  command.add_option("--model", arguments.model, "Its model");
  command.add_flag("--json", arguments.json, "One JSON line");
}

}  // namespace

void add_bench_requests_command(Command& bench, int& exit_code) {
  auto* command = bench.add_subcommand(
      "requests",
      "Short requests a second and their latency with a durable ledger, without a model");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  add_options(*command, *arguments);
  command->callback([arguments, &exit_code] {
    const auto status = run(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
