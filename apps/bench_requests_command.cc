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

// What was measured beside the load itself.
struct Beside {
  RequestLoadResult bare;  // the same load on a server that answers at once
  std::vector<double> commits_ms;
  double cpu_us = 0, memory_mib = 0;  // of the gateway
};

// Of each percentile, how much more it is than without a gateway.
serve::Percentiles added(const std::vector<double>& with, const std::vector<double>& without) {
  const auto a = serve::percentiles(with), b = serve::percentiles(without);
  serve::Percentiles difference;
  difference.p50 = a.p50 - b.p50;
  difference.p99 = a.p99 - b.p99;
  difference.max = a.max - b.max;
  return difference;
}

double requests_per_s(const RequestLoadResult& result) {
  return static_cast<double>(result.answered) / result.seconds;
}

void print_json(const Arguments& arguments, const RequestLoadResult& result, const Beside* beside) {
  base::json::object line{{"bench", "requests"},
                          {"connections", arguments.connections},
                          {"rate_asked", arguments.rate},
                          {"stream", arguments.stream},
                          {"answered", result.answered},
                          {"requests_per_s", requests_per_s(result)},
                          {"first_byte_ms", to_object(serve::percentiles(result.first_byte_ms))},
                          {"last_byte_ms", to_object(serve::percentiles(result.last_byte_ms))},
                          {"send_delay_ms", to_object(serve::percentiles(result.send_delay_ms))}};
  if (beside != nullptr) {
    const auto& bare = beside->bare;
    line["bare_requests_per_s"] = requests_per_s(bare);
    line["first_byte_added_ms"] = to_object(added(result.first_byte_ms, bare.first_byte_ms));
    line["last_byte_added_ms"] = to_object(added(result.last_byte_ms, bare.last_byte_ms));
    line["commit_ms"] = to_object(serve::percentiles(beside->commits_ms));
    line["cpu_us_per_request"] = beside->cpu_us;
    line["peak_rss_mib"] = beside->memory_mib;
  }
  fmt::print("{}\n", base::to_json(line));
}

void print_text(const RequestLoadResult& result, const Beside* beside) {
  fmt::print("{:<18} {} in {:.1f} s: {:.0f} a second\n", "requests", result.answered,
             result.seconds, requests_per_s(result));
  print_row("first byte", serve::percentiles(result.first_byte_ms));
  print_row("last byte", serve::percentiles(result.last_byte_ms));
  print_row("sent late by", serve::percentiles(result.send_delay_ms));
  if (beside == nullptr) return;
  const auto& bare = beside->bare;
  fmt::print("{:<18} {:.0f} a second where a server answers at once\n", "bare",
             requests_per_s(bare));
  print_row("first byte, bare", serve::percentiles(bare.first_byte_ms));
  print_row("last byte, bare", serve::percentiles(bare.last_byte_ms));
  print_row("first byte, added", added(result.first_byte_ms, bare.first_byte_ms));
  print_row("last byte, added", added(result.last_byte_ms, bare.last_byte_ms));
  print_row("disk's commit", serve::percentiles(beside->commits_ms));
  fmt::print("{:<18} {:.0f} us of CPU a request, {:.1f} MiB at most\n", "gateway", beside->cpu_us,
             beside->memory_mib);
}

void print_result(const Arguments& arguments, const RequestLoadResult& result,
                  const Beside* beside) {
  arguments.json ? print_json(arguments, result, beside) : print_text(result, beside);
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

absl::StatusOr<RequestLoadResult> load_bare_server(RequestLoad load, bool streamed,
                                                   const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto server, GatewayProcess::start_bare(streamed));
  load.port = server->port;
  return run_request_load(load, clock);
}

absl::Status measure(const Arguments& arguments, const std::string& home) {
  const base::RealClock clock;
  auto load = load_of(arguments);
  if (arguments.port != 0) {
    ASSIGN_OR_RETURN(const auto result, run_request_load(load, clock));
    print_result(arguments, result, nullptr);
    return absl::OkStatus();
  }
  Beside beside;
  ASSIGN_OR_RETURN(beside.commits_ms, commit_times_ms(home, arguments.commits, clock));
  ASSIGN_OR_RETURN(beside.bare, load_bare_server(load, arguments.stream, clock));
  ASSIGN_OR_RETURN(const auto gateway, GatewayProcess::start(home, 0, arguments.database));
  load.port = gateway->port;
  load.api_key = gateway->api_key;
  ASSIGN_OR_RETURN(const double before, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(const auto result, run_request_load(load, clock));
  ASSIGN_OR_RETURN(const double after, gateway->cpu_seconds());
  ASSIGN_OR_RETURN(beside.memory_mib, gateway->memory_mib("VmHWM"));
  const double part = arguments.seconds / (arguments.seconds + load.warm_up_s);
  beside.cpu_us = (after - before) * 1e6 * part / static_cast<double>(result.answered);
  print_result(arguments, result, &beside);
  return absl::OkStatus();
}

absl::Status run(const Arguments& arguments) {
  return in_bench_home([&](const std::string& home) { return measure(arguments, home); });
}

void add_options(Command& command, Arguments& arguments) {
  command
      .add_option(
          "--connections", arguments.connections,
          "Connections, which are kept; with --rate some 500, or a slow disk delays what is sent")
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
