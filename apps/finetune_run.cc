#include "apps/finetune_run.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <fmt/ranges.h>
#include <unistd.h>
#include <filesystem>

#include <cstdio>

#include "apps/stop_signals.h"
#include "apps/terminal.h"
#include "apps/training_report.h"
#include "base/file.h"
#include "base/json.h"
#include "train/limits.h"

namespace plinth {

namespace {

constexpr char kResultsHead[] =
    "step,train_loss,train_mean_token_accuracy,learning_rate,gradient_norm\n";
// Accuracy is of pairs, and a margin is of their rewards.
constexpr char kPreferenceHead[] =
    "step,train_loss,train_preference_accuracy,learning_rate,gradient_norm,train_reward_margin\n";

const char* results_head(const FinetuneOptions& options) {
  return train::prefers(options.run.trainer.objective.method) ? kPreferenceHead : kResultsHead;
}

double margin_of(const train::Loss& loss) {
  return loss.targets == 0 ? 0 : loss.margin / static_cast<double>(loss.targets);
}

double seconds_between(base::TimePoint from, base::TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// What a person, or a program with --json, sees of a run; and the lines of its CSV.
class RunLog final : public TrainingObserver {
 public:
  RunLog(const FinetuneOptions& options, const base::Clock& clock)
      : json_(options.json),
        prefers_(train::prefers(options.run.trainer.objective.method)),
        head_(results_head(options)),
        results_(options.run.folder + "/results.csv"),
        clock_(clock),
        begun_(clock.now()) {}

  void read(const std::string& name, const train::DataReport& report) override {
    name_ = name;
    fmt::print(stderr,
               "{}: {} {} of {} tokens, {} of them learnt; the longest has {}, {} were cut, "
               "{} equal earlier ones\n",
               name, report.examples, prefers_ ? "pairs" : "examples", report.tokens,
               report.targets, report.longest, report.truncated, report.duplicates);
    report_.facts.emplace_back(
        name, fmt::format("{} {} of {} tokens, {} of them learnt; {} were cut", report.examples,
                          prefers_ ? "pairs" : "examples", report.tokens, report.targets,
                          report.truncated));
  }
  void shared(std::int64_t examples, const train::DataReport& valid) override {
    fmt::print(stderr, "{} of {} examples of {} are learnt, too: what it says is too good\n",
               examples, valid.examples, name_);
  }
  void begin(std::int64_t done, std::int64_t steps) override {
    done_ = done;
    steps_ = steps;
    csv_ = results_until(results_, head_, done);
    report_.steps = steps_of_csv(csv_);
    if (done > 0) fmt::print(stderr, "goes on after step {}\n", done);
    begun_ = clock_.now();
  }

  void step(const train::StepReport& report) override {
    tokens_ += report.tokens;
    const double accuracy = token_accuracy(report.loss);
    csv_ += fmt::format("{},{:.6f},{:.6f},{:.6g},{:.6f}", report.step, report.loss.mean(), accuracy,
                        report.learning_rate, report.gradient_norm);
    csv_ += prefers_ ? fmt::format(",{:.6f}\n", margin_of(report.loss)) : "\n";
    const double seconds = seconds_between(begun_, clock_.now());
    const double rate = seconds > 0 ? static_cast<double>(tokens_) / seconds : 0;
    report_.steps.push_back({report.step, report.loss.mean(), accuracy, report.learning_rate,
                             report.gradient_norm, rate});
    if (json_) {
      base::json::object line{{"step", report.step},
                              {"steps", steps_},
                              {"loss", report.loss.mean()},
                              {"accuracy", accuracy},
                              {"learning_rate", report.learning_rate},
                              {"gradient_norm", report.gradient_norm},
                              {"tokens_per_second", rate}};
      if (prefers_) line["margin"] = margin_of(report.loss);
      if (report.skipped) line["skipped"] = true;
      fmt::print("{}\n", base::to_json(line));
      std::fflush(stdout);
      return;
    }
    const bool redraws = is_terminal(STDERR_FILENO);
    if (report.skipped) fmt::print(stderr, "{}{}\n", redraws ? "\r" : "", skipped_line(report));
    const auto tenth = report.step * 10 / steps_;
    if (!redraws && tenth == tenth_ && report.step != 1) return;
    tenth_ = tenth;
    const double left = seconds / static_cast<double>(report.step - done_) *
                        static_cast<double>(steps_ - report.step);
    fmt::print(stderr,
               "{}step {}/{}  loss {:.4f}  accuracy {:.3f}{}  {:.0f} tokens/s  {:.0f} s left{}",
               redraws ? "\r\x1b[K" : "", report.step, steps_, report.loss.mean(), accuracy,
               prefers_ ? fmt::format("  margin {:.3f}", margin_of(report.loss)) : "", rate, left,
               redraws && report.step != steps_ ? "" : "\n");
  }
  void valid(const ValidReport& report) override {
    const auto& loss = report.loss;
    if (loss.targets == 0) return;
    report_.facts.emplace_back(
        fmt::format("unseen, after step {}", report.step),
        fmt::format("loss {:.4f}, accuracy {:.3f}", loss.mean(), token_accuracy(loss)));
    fmt::print(stderr, "valid: loss {:.4f}, accuracy {:.3f}{}\n", loss.mean(), token_accuracy(loss),
               prefers_ ? fmt::format(", margin {:.3f}", margin_of(loss)) : "");
  }
  // Of what was said meanwhile.
  TrainingReport report() const { return report_; }
  absl::Status save() override { return base::write_file_atomic(results_, head_ + csv_); }

 private:
  const bool json_, prefers_;
  const std::string head_, results_;
  const base::Clock& clock_;
  base::TimePoint begun_;
  std::string name_;  // of the data that was read last
  std::int64_t done_ = 0, steps_ = 0, tokens_ = 0, tenth_ = -1;
  std::string csv_;
  TrainingReport report_;
};

// Of a rank that has nothing to say.
class Silent final : public TrainingObserver {
 public:
  void read(const std::string&, const train::DataReport&) override {}
  void begin(std::int64_t, std::int64_t) override {}
  void step(const train::StepReport&) override {}
  void valid(const ValidReport&) override {}
  absl::Status save() override { return absl::OkStatus(); }
};

std::string method_of(const TrainingRunOptions& run) {
  if (run.full) return "all weights";
  return fmt::format("adapters of rank {}, alpha {}, beside {}{}", run.lora.rank, run.lora.alpha,
                     fmt::join(run.lora.targets, ", "),
                     run.lora.keep_stored ? "; the base as it is stored" : "");
}

absl::Status leave_report(const TrainingRunOptions& run, const std::string& model,
                          TrainingReport report, const base::Clock& clock) {
  report.title = run.base_name + ", tuned";
  report.base = run.base_name;
  report.ended = fmt::format("{:%Y-%m-%d %H:%M} UTC",
                             fmt::gmtime(static_cast<std::time_t>(clock.unix_seconds())));
  const auto& trainer = run.trainer;
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"what learnt", method_of(run)},
      {"epochs", std::to_string(trainer.epochs)},
      {"examples of a step", std::to_string(trainer.batch_size)},
      {"learning rate", fmt::format("{}", trainer.schedule.rate)},
      {"tokens of an example, at most", std::to_string(run.tokens_max)},
      {"seed", std::to_string(trainer.seed)}};
  report.facts.insert(report.facts.begin(), settings.begin(), settings.end());
  report.how_to_use = {fmt::format("plinth model import {} --as my-model",
                                   std::filesystem::path(model).filename().string()),
                       "plinth up --model my-model"};
  return write_training_report(run.folder, report);
}

}  // namespace

absl::StatusOr<std::string> run_finetune(const FinetuneOptions& options, const base::Clock& clock,
                                         train::Collective& ranks) {
  listen_for_stop();
  TrainingData data{"", "", options.data, options.valid};
  ASSIGN_OR_RETURN(data.train, base::read_file(options.data, train::kDataBytesMax));
  if (!options.valid.empty()) {
    ASSIGN_OR_RETURN(data.valid, base::read_file(options.valid, train::kDataBytesMax));
  }
  Silent silent;
  if (ranks.place().rank != 0)
    return run_training(options.run, data, asked_to_stop, silent, clock, ranks);
  RunLog log(options, clock);
  ASSIGN_OR_RETURN(auto model, run_training(options.run, data, asked_to_stop, log, clock, ranks));
  RETURN_IF_ERROR(leave_report(options.run, model, log.report(), clock));
  return model;
}

}  // namespace plinth
