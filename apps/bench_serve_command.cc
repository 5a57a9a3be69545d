#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/serve/calibrate.h"
#include "apps/serve/limits.h"
#include "apps/serve/plot_files.h"
#include "apps/serve/replay.h"
#include "apps/serve/report.h"
#include "apps/serve/trace.h"
#include "apps/terminal.h"
#include "base/file.h"

namespace plinth {

namespace {

struct Arguments {
  ServiceFlags service;
  serve::WorkloadOptions workload;
  serve::ReplayOptions replay;
  serve::ServiceLevel level;
  std::vector<double> rates = {1};
  std::string trace, save_trace, plots, calibrate;
  bool json = false;
};

absl::StatusOr<serve::Workload> workload_of(const Arguments& arguments, double rate) {
  if (!arguments.trace.empty()) {
    ASSIGN_OR_RETURN(const auto text, base::read_file(arguments.trace, serve::kTraceBytesMax));
    auto workload = serve::parse_trace(text);
    if (!workload.ok()) return base::annotate(workload.status(), arguments.trace);
    return workload;
  }
  auto options = arguments.workload;
  options.rate_per_s = rate;
  return serve::make_workload(options);
}

void show_progress(std::size_t sent, std::size_t open) {
  fmt::print(stderr, "\r\033[K{} begun, {} open", sent, open);
}

// Prompts of one run after the other, which a prefix cache would know from the run before.
constexpr std::uint64_t kRunSeeds = 1'000'000;
static_assert(kRunSeeds > serve::kConversationsMax);

absl::StatusOr<serve::Report> run_once(const Arguments& arguments, std::size_t run, double rate,
                                       const ServiceConnection& service) {
  ASSIGN_OR_RETURN(const auto workload, workload_of(arguments, rate));
  auto options = arguments.replay;
  options.seed = arguments.workload.seed + run * kRunSeeds;
  if (is_terminal(STDERR_FILENO)) options.progress = show_progress;
  const auto replay = serve::replay(workload, service, options);
  if (is_terminal(STDERR_FILENO)) fmt::print(stderr, "\r\033[K");
  return serve::make_report(replay, arguments.level);
}

base::json::object document_of(const Arguments& arguments, double rate,
                               const ServiceConnection& service, const serve::Report& report) {
  auto document = serve::to_json(report);
  document["model"] = service.model;
  document["seed"] = arguments.workload.seed;
  if (arguments.trace.empty()) {
    document["mix"] = arguments.workload.mix;
    document["rate_per_s"] = rate;
  } else {
    document["trace"] = arguments.trace;
  }
  return document;
}

std::string heading(const Arguments& arguments, double rate, const ServiceConnection& service) {
  if (!arguments.trace.empty()) return fmt::format("{}: {}", service.model, arguments.trace);
  return fmt::format("{}: mix {}, {:g} conversations/s (Poisson), seed {}", service.model,
                     arguments.workload.mix, rate, arguments.workload.seed);
}

absl::Status save(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto workload, workload_of(arguments, arguments.rates.front()));
  return base::write_file_atomic(arguments.save_trace, serve::to_trace(workload));
}

// Of one trial, at least.
constexpr double kTrialSeconds = 20;

// One trial of a calibration: the shape's prompts and answers at a rate.
absl::StatusOr<serve::Trial> try_rate(Arguments arguments, int words, int tokens, double rate,
                                      std::size_t run, const ServiceConnection& service) {
  arguments.workload.mix = "fixed";
  arguments.workload.prompt_words = words;
  arguments.workload.max_tokens = tokens;
  arguments.replay.ignore_eos = true;
  // A burst that is over before anything can queue up says nothing of what is sustained.
  const auto needed = std::min<double>(std::ceil(rate * kTrialSeconds), serve::kConversationsMax);
  arguments.workload.conversations =
      std::max(arguments.workload.conversations, static_cast<int>(needed));
  ASSIGN_OR_RETURN(const auto report, run_once(arguments, run, rate, service));
  serve::Trial trial;
  trial.good_share = static_cast<double>(report.good) / report.turns;
  const double minutes = report.wall_s / 60;
  trial.input_per_minute =
      static_cast<double>(report.prompt_tokens - report.cached_tokens) / minutes;
  trial.output_per_minute = static_cast<double>(report.completion_tokens) / minutes;
  fmt::print(stderr, "{} words, {} tokens, {:.3g}/s: {:.0f} % good, {:.0f} + {:.0f} tokens/min\n",
             words, tokens, rate, 100 * trial.good_share, trial.input_per_minute,
             trial.output_per_minute);
  return trial;
}

// Between two rates, where one is sustained and the other is not: an eighth of the lower one.
constexpr int kHalvings = 3;

absl::Status calibrate(const std::string& home, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto service, connect_service(home, arguments.service));
  std::size_t run = 0;
  const auto shape = [&](int words, int tokens) {
    return serve::sustain(arguments.rates.front(), kHalvings, [&, words, tokens](double rate) {
      return try_rate(arguments, words, tokens, rate, run++, service);
    });
  };
  ASSIGN_OR_RETURN(const auto prompts, shape(400, 1));
  ASSIGN_OR_RETURN(const auto answers, shape(16, 128));
  const auto made = serve::calibrate(prompts, answers);
  const auto text = base::to_json(
      base::json::object{{"model", service.model},
                         {"unitTokensPerMinute", made.unit_tokens},
                         {"outputWeight", made.output_weight},
                         {"firstTokenMs", std::llround(arguments.level.first_token_s * 1e3)},
                         {"tokenUs", std::llround(arguments.level.between_tokens_s * 1e6)}});
  fmt::print("{}\n", text);
  return base::write_file_atomic(arguments.calibrate, text + "\n");
}

absl::Status bench(const std::string& home, const Arguments& arguments) {
  if (!arguments.calibrate.empty()) return calibrate(home, arguments);
  // A wrong mix or trace shows before a service is started.
  RETURN_IF_ERROR(workload_of(arguments, arguments.rates.front()).status());
  if (!arguments.save_trace.empty()) return save(arguments);
  ASSIGN_OR_RETURN(const auto service, connect_service(home, arguments.service));
  std::vector<std::pair<double, serve::Report>> by_rate;
  base::json::array documents;
  for (const double rate : arguments.rates) {
    ASSIGN_OR_RETURN(auto report, run_once(arguments, by_rate.size(), rate, service));
    documents.push_back(document_of(arguments, rate, service, report));
    if (!arguments.json) {
      fmt::print("{}\n{}", heading(arguments, rate, service), to_text(report, arguments.level));
    }
    by_rate.emplace_back(rate, std::move(report));
  }
  if (arguments.json) {
    fmt::print("{}\n", documents.size() == 1
                           ? base::to_json(documents.front())
                           : base::to_json(base::json::object{{"runs", documents}}));
  }
  if (!arguments.plots.empty()) {
    std::vector<std::string> notes;
    RETURN_IF_ERROR(serve::write_plots(arguments.plots, by_rate, notes));
    for (const auto& note : notes) fmt::print(stderr, "{}\n", note);
  }
  int turns = 0, answered = 0;
  for (const auto& [rate, report] : by_rate) {
    turns += report.turns;
    answered += report.answered;
  }
  if (answered == turns) return absl::OkStatus();
  return base::unavailable(fmt::format("{} of {} turns failed", turns - answered, turns));
}

void add_workload_options(Command& command, Arguments& arguments) {
  auto& workload = arguments.workload;
  auto* trace = command.add_option("--trace", arguments.trace,
                                   "Replay this file: a JSON line for each conversation");
  trace->existing_file();
  command.add_option("--save-trace", arguments.save_trace,
                     "Write the conversations as a trace and send nothing");
  command
      .add_option("--mix", workload.mix,
                  "fixed, short, long, chat (of several turns), edit or mixed")
      ->excludes(trace)
      ->capture_default_str();
  command
      .add_option("--rate,--rates", arguments.rates,
                  "Conversations a second on average; several run one after the other")
      ->range(0.001, 10000.0)
      ->expected(1, 32)
      ->delimiter(',')
      ->excludes(trace)
      ->capture_default_str();
  command.add_option("--requests", workload.conversations, "How many conversations")
      ->range(1, serve::kConversationsMax)
      ->excludes(trace)
      ->capture_default_str();
  command
      .add_option("--tenants", workload.tenants, "That share them; tenant k has 1/k of the first")
      ->range(1, serve::kTenantsMax)
      ->excludes(trace)
      ->capture_default_str();
  command.add_option("--prompt-words", workload.prompt_words, "Of each prompt of the mix fixed")
      ->range(1, serve::kWordsMax)
      ->capture_default_str();
  command.add_option("--max-tokens", workload.max_tokens, "Of each answer of the mix fixed")
      ->range(1, serve::kTokensMax)
      ->capture_default_str();
  command.add_option("--seed", workload.seed, "Of arrivals, prompts and answers")
      ->capture_default_str();
}

void add_report_options(Command& command, Arguments& arguments) {
  command.add_option("--timeout-s", arguments.replay.timeout_s, "Of one turn, in seconds")
      ->range(0.1, serve::kSecondsMax)
      ->capture_default_str();
  command.add_option("--temperature", arguments.replay.temperature, "Instead of the model's own")
      ->range(0.0, 2.0);
  command.add_flag("--ignore-eos", arguments.replay.ignore_eos,
                   "Answers of exactly the tokens asked for");
  command
      .add_option("--slo-first-token-s", arguments.level.first_token_s,
                  "A turn is good with its first token in this time")
      ->range(0.0, serve::kSecondsMax)
      ->capture_default_str();
  command
      .add_option("--slo-between-s", arguments.level.between_tokens_s,
                  "and its pieces, on average, in this time after one another")
      ->range(0.0, serve::kSecondsMax)
      ->capture_default_str();
  command.add_option("--calibrate", arguments.calibrate,
                     "Find what is sustained at that level, and write the table of provisioned "
                     "throughput to this file, for `plinth admin throughput accept`");
  command.add_option("--plots", arguments.plots, "Folder for plots as SVG and PNG");
  command.add_flag("--json", arguments.json, "One JSON document on stdout");
}

}  // namespace

void add_bench_serve_command(Command& bench_group, const std::string& home, int& exit_code) {
  auto* command = bench_group.add_subcommand("serve", "Open-loop load on a service");
  command->footer(
      "Messages are sent when they are due, whether or not earlier ones are answered; times count\n"
      "from when they were due.\n"
      "Examples:\n"
      "  plinth bench serve --mix chat --rate 2 --requests 60 --tenants 3\n"
      "  plinth bench serve --mix mixed --rates 0.5,1,2 --plots plots\n"
      "  plinth bench serve --calibrate unit.json --slo-first-token-s 1 --requests 60\n"
      "  plinth bench serve --mix chat --save-trace day.jsonl; plinth bench serve --trace "
      "day.jsonl");
  const auto arguments = std::make_shared<Arguments>();  // shared by the callback that is kept
  add_service_flags(*command, arguments->service);
  add_workload_options(*command, *arguments);
  add_report_options(*command, *arguments);
  command->callback([arguments, &home, &exit_code] {
    const auto status = bench(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
