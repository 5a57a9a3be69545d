#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "apps/bench_command.h"
#include "apps/bench_load.h"
#include "apps/chat_client.h"
#include "apps/terminal.h"

namespace plinth {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kRequestsMax = 100'000;
// Each open request is a thread here and a connection there.
constexpr std::size_t kOpenMax = 1000;

struct Load {
  ServiceFlags service;
  double rate_per_s = 1;
  int requests = 20;
  int prompt_words = 64;
  int max_tokens = 64;
  std::uint64_t seed = 1;
  bool json = false;
};

// What all requests together came to. Times in seconds.
struct Outcome {
  std::mutex mutex;  // protects the following
  std::vector<double> first_token_s, between_tokens_s, whole_s;
  std::map<std::string, int> errors;
  std::int64_t prompt_tokens = 0, completion_tokens = 0;
  int done = 0;
};

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::int64_t usage_of(const ChatAnswer& answer, std::string_view name) {
  const auto* usage = answer.usage.if_object();
  const auto* value = usage == nullptr ? nullptr : usage->if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

void send(const ServiceConnection& service, const Load& load, std::uint64_t index,
          Outcome& outcome) {
  const base::json::array messages{
      {{"role", "user"}, {"content", synthetic_prompt(load.seed + index, load.prompt_words)}}};
  const base::json::object parameters{{"max_tokens", load.max_tokens}, {"seed", index}};
  const auto started = Clock::now();
  std::vector<Clock::time_point> pieces;
  ChatSinks sinks;
  sinks.text = [&](std::string_view) { pieces.push_back(Clock::now()); };
  const auto answer = stream_chat(service, messages, parameters, sinks);
  const auto ended = Clock::now();
  std::lock_guard lock(outcome.mutex);
  ++outcome.done;
  if (!answer.ok()) {
    ++outcome.errors[std::string(base::message(answer.status()))];
    return;
  }
  if (!pieces.empty()) outcome.first_token_s.push_back(seconds_between(started, pieces.front()));
  for (std::size_t i = 1; i < pieces.size(); ++i) {
    outcome.between_tokens_s.push_back(seconds_between(pieces[i - 1], pieces[i]));
  }
  outcome.whole_s.push_back(seconds_between(started, ended));
  outcome.prompt_tokens += usage_of(*answer, "prompt_tokens");
  outcome.completion_tokens += usage_of(*answer, "completion_tokens");
}

// Seconds from the first request to the end of the last.
double drive(const ServiceConnection& service, const Load& load, Outcome& outcome) {
  const auto schedule = poisson_schedule(load.seed, load.rate_per_s, load.requests);
  const auto started = Clock::now();
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const auto due = started + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double>(schedule[i]));
    std::this_thread::sleep_until(due);
    std::size_t open = 0;
    {
      std::lock_guard lock(outcome.mutex);
      open = i - static_cast<std::size_t>(outcome.done);
      if (open >= kOpenMax) {
        ++outcome.errors[fmt::format("not sent: {} requests are open", kOpenMax)];
        ++outcome.done;
      }
    }
    if (open < kOpenMax) {
      threads.emplace_back([&, i] { send(service, load, i, outcome); });
    }
    if (is_terminal(STDERR_FILENO)) {
      fmt::print(stderr, "\r\033[K{} of {} sent, {} open", i + 1, schedule.size(), open + 1);
    }
  }
  threads.clear();
  if (is_terminal(STDERR_FILENO)) fmt::print(stderr, "\r\033[K");
  return seconds_between(started, Clock::now());
}

base::json::object milliseconds(const std::vector<double>& values_s) {
  const auto p = percentiles(values_s);
  return {{"p50", p.p50 * 1e3}, {"p95", p.p95 * 1e3}, {"p99", p.p99 * 1e3}, {"max", p.max * 1e3}};
}

void print_as_json(const ServiceConnection& service, const Load& load, const Outcome& outcome,
                   double wall_s) {
  base::json::object errors;
  for (const auto& [text, count] : outcome.errors) errors[text] = count;
  const base::json::object document{
      {"model", service.model},
      {"seed", load.seed},
      {"rate_per_s", load.rate_per_s},
      {"requests", load.requests},
      {"answered", outcome.whole_s.size()},
      {"errors", errors},
      {"wall_s", wall_s},
      {"prompt_tokens", outcome.prompt_tokens},
      {"completion_tokens", outcome.completion_tokens},
      {"completion_tokens_per_s", static_cast<double>(outcome.completion_tokens) / wall_s},
      {"first_token_ms", milliseconds(outcome.first_token_s)},
      {"between_tokens_ms", milliseconds(outcome.between_tokens_s)},
      {"whole_ms", milliseconds(outcome.whole_s)}};
  fmt::print("{}\n", base::to_json(document));
}

void print_for_people(const ServiceConnection& service, const Load& load, const Outcome& outcome,
                      double wall_s) {
  fmt::print("{}: {} requests at {:.2f}/s (Poisson, seed {}), {} answered, {:.1f} s\n",
             service.model, load.requests, load.rate_per_s, load.seed, outcome.whole_s.size(),
             wall_s);
  fmt::print("tokens in {}, out {}, {:.1f} out/s\n", outcome.prompt_tokens,
             outcome.completion_tokens, static_cast<double>(outcome.completion_tokens) / wall_s);
  fmt::print("{:<22} {:>9} {:>9} {:>9} {:>9}\n", "ms", "p50", "p95", "p99", "max");
  const auto row = [](const char* name, const std::vector<double>& values_s) {
    const auto p = percentiles(values_s);
    fmt::print("{:<22} {:>9.1f} {:>9.1f} {:>9.1f} {:>9.1f}\n", name, p.p50 * 1e3, p.p95 * 1e3,
               p.p99 * 1e3, p.max * 1e3);
  };
  row("to first token", outcome.first_token_s);
  row("between tokens", outcome.between_tokens_s);
  row("whole answer", outcome.whole_s);
  for (const auto& [text, count] : outcome.errors) fmt::print("error x {}: {}\n", count, text);
}

absl::Status bench(const std::string& home, const Load& load) {
  ASSIGN_OR_RETURN(const auto service, connect_service(home, load.service));
  Outcome outcome;
  const double wall_s = drive(service, load, outcome);
  load.json ? print_as_json(service, load, outcome, wall_s)
            : print_for_people(service, load, outcome, wall_s);
  if (outcome.errors.empty()) return absl::OkStatus();
  return base::unavailable(fmt::format("{} of {} requests failed",
                                       load.requests - static_cast<int>(outcome.whole_s.size()),
                                       load.requests));
}

}  // namespace

void add_bench_serve_command(CLI::App& bench_group, const std::string& home, int& exit_code) {
  auto* command = bench_group.add_subcommand("serve", "Open-loop load on a service");
  command->footer(
      "Requests are sent when they are due, whether or not earlier ones are answered.\n"
      "Example:\n  plinth bench serve --rate 2 --requests 60 --max-tokens 128 --json");
  const auto load = std::make_shared<Load>();  // shared by the callback CLI11 keeps
  add_service_flags(*command, load->service);
  command->add_option("--rate", load->rate_per_s, "Requests a second, on average")
      ->check(CLI::Range(0.001, 10000.0))
      ->capture_default_str();
  command->add_option("--requests", load->requests, "How many")
      ->check(CLI::Range(1, kRequestsMax))
      ->capture_default_str();
  command->add_option("--prompt-words", load->prompt_words, "Length of each prompt")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--max-tokens", load->max_tokens, "Length of each answer at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--seed", load->seed, "Of schedule, prompts and answers")
      ->capture_default_str();
  command->add_flag("--json", load->json, "One JSON document on stdout");
  command->callback([load, &home, &exit_code] {
    const auto status = bench(home, *load);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
