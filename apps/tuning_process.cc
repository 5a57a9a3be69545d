#include "apps/tuning_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "apps/command_line.h"
#include "apps/stop_signals.h"
#include "apps/terminal.h"
#include "apps/training_run.h"
#include "apps/tuning_wire.h"
#include "base/core_dumps.h"
#include "base/file.h"
#include "governance/sealed_storage.h"
#include "governance/tuning_limits.h"
#include "model/adapter_file.h"
#include "model/model_file.h"
#include "train/adapter_start.h"
#include "train/limits.h"
#include "worker/sandbox.h"

namespace plinth {

namespace {

constexpr double kLearningRate = 2e-4;         // at a multiplier of 1: what LoRA's users begin with
constexpr double kPreferenceRate = 5e-5;       // the same of DPO, which moves a model further
constexpr double kBeta = 0.1;                  // of DPO's authors
constexpr std::int64_t kExamplesWanted = 100;  // that a run goes over, however few there are
constexpr std::int64_t kEpochsAuto = 3, kEpochsAutoMax = 25;
constexpr std::int64_t kBatchesOfEpoch = 32, kBatchAutoMax = 8;
constexpr std::int64_t kCheckpointSteps = 50;
constexpr std::int64_t kRank = 16;

absl::Status write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::errno_status(errno, "report");
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return absl::OkStatus();
}

// Nobody left to report to: the gateway's end is this process's, which it learns by a signal.
void say(const std::string& event, base::json::object fields = {}) {
  (void)write_all(to_line(TuningReport{event, std::move(fields)}));
}

absl::StatusOr<std::string> read_bytes(std::uint64_t count) {
  std::string bytes(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const auto got = ::read(STDIN_FILENO, bytes.data() + have, count - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return base::invalid_argument("the task ended early");
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

absl::StatusOr<TuningTask> read_task() {
  std::string line;
  for (;;) {
    ASSIGN_OR_RETURN(const auto byte, read_bytes(1));
    if (byte == "\n") return parse_task(line);
    line += byte;
    if (line.size() > kTuningLineBytesMax) return base::invalid_argument("the task has no end");
  }
}

// Of a pair, in the mean; 0 where there are none.
double margin_of(const train::Loss& loss) {
  return loss.targets == 0 ? 0 : loss.margin / static_cast<double>(loss.targets);
}

// Says what happens, and keeps results.csv.
class Reporter final : public TrainingObserver {
 public:
  Reporter(const TuningTask& task, const base::Storage& storage)
      : task_(task), storage_(storage), results_(task.folder + "/results.csv") {}

  void read(const std::string& name, const train::DataReport& data) override {
    if (name != "training_file") return;
    tokens_ = data.tokens;
    say("checked", {{"examples", data.examples},
                    {"tokens", data.tokens},
                    {"truncated", data.truncated},
                    {"duplicates", data.duplicates}});
  }
  void resolve(const train::DataReport& data, train::TrainerOptions& options) override {
    const auto& asked = task_.hyperparameters;
    const auto few =
        (kExamplesWanted + data.examples - 1) / std::max<std::int64_t>(data.examples, 1);
    options.epochs = asked.epochs.value_or(std::clamp(few, kEpochsAuto, kEpochsAutoMax));
    options.batch_size = asked.batch_size.value_or(
        std::clamp<std::int64_t>(data.examples / kBatchesOfEpoch, 1, kBatchAutoMax));
    const double multiplier = asked.learning_rate_multiplier.value_or(1);
    options.schedule.rate = (asked.prefers ? kPreferenceRate : kLearningRate) * multiplier;
    resolved_ = {{"n_epochs", options.epochs},
                 {"batch_size", options.batch_size},
                 {"learning_rate_multiplier", multiplier}};
    if (asked.prefers) resolved_["beta"] = options.objective.preference.beta;
    epochs_ = options.epochs;
  }
  void begin(std::int64_t done, std::int64_t steps) override {
    steps_ = steps;
    csv_ = results_until(results_, head(), done, storage_);
    auto fields = resolved_;
    fields["done"] = done;
    fields["steps"] = steps;
    say("begun", std::move(fields));
  }
  void step(const train::StepReport& step) override {
    // The line of a step waits for what an evaluation right after it adds.
    flush({});
    pending_ =
        fmt::format("{},{:.6f},{:.6f}", step.step, step.loss.mean(), token_accuracy(step.loss));
    margin_ = margin_of(step.loss);
    say("step", {{"step", step.step},
                 {"steps", steps_},
                 {"loss", step.loss.mean()},
                 {"accuracy", token_accuracy(step.loss)},
                 {"margin", margin_},
                 {"learning_rate", step.learning_rate},
                 {"skipped", step.skipped ? 1 : 0}});
  }
  void valid(const ValidReport& valid) override {
    if (valid.loss.targets == 0) return;
    const double loss = valid.loss.mean(), accuracy = token_accuracy(valid.loss);
    flush(fmt::format("{:.6f},{:.6f},{:.6f},{:.6f}", loss, accuracy, loss, accuracy));
    say("valid", {{"step", valid.step},
                  {"loss", loss},
                  {"accuracy", accuracy},
                  {"margin", margin_of(valid.loss)}});
  }
  absl::Status save() override {
    flush({});
    return storage_.write(results_, head() + csv_);
  }
  std::int64_t trained_tokens() const { return tokens_ * epochs_; }

 private:
  bool prefers() const { return task_.hyperparameters.prefers; }
  std::string head() const { return prefers() ? kTuningPreferencesHead : kTuningResultsHead; }
  void flush(const std::string& valid) {
    if (pending_.empty()) return;
    csv_ += fmt::format("{},{}", pending_, valid.empty() ? ",,," : valid);
    csv_ += prefers() ? fmt::format(",{:.6f}\n", margin_) : "\n";
    pending_.clear();
  }

  const TuningTask& task_;
  const base::Storage& storage_;
  const std::string results_;
  base::json::object resolved_;
  std::string csv_, pending_;
  double margin_ = 0;  // of the step that waits
  std::int64_t tokens_ = 0, epochs_ = 0, steps_ = 0;
};

TrainingRunOptions options_of(const TuningTask& task, const base::Storage& storage) {
  TrainingRunOptions options;
  options.base_name = task.base_name;
  options.base_path = task.base_path;
  options.folder = task.folder;
  options.storage = &storage;
  if (task.hyperparameters.prefers) options.trainer.objective.method = train::Method::dpo;
  options.trainer.objective.preference.beta = task.hyperparameters.beta.value_or(kBeta);
  options.trainer.seed = task.seed;
  options.trainer.spike_guard.on = true;
  options.threads = task.threads;
  options.checkpoint_steps = kCheckpointSteps;
  options.resume = ResumeMode::if_present;
  options.checks_only = task.checks_only;
  options.evaluates_epochs = true;
  options.leaves_merged = false;
  options.epochs_kept = governance::kTuningCheckpointsKept - 1;  // the last one is the result
  return options;
}

// Of the adapter: what was asked for, else what the one that it begins with has, else the service's
// own. InvalidArgument where that one would not fit in.
absl::Status settle_lora(const TuningHyperparameters& asked, const model::AdapterFile* first,
                         train::LoraOptions& lora) {
  const auto least = first == nullptr ? train::LoraOptions() : train::lora_of(*first);
  lora.rank = asked.rank.value_or(first == nullptr ? kRank : least.rank);
  lora.alpha = asked.alpha.value_or(2 * static_cast<double>(lora.rank));
  lora.targets = asked.targets.empty() ? least.targets : asked.targets;
  if (first == nullptr) return absl::OkStatus();
  if (lora.rank < least.rank) {
    return base::invalid_argument(
        fmt::format("lora_rank: the adapter that the job begins with has {}; {} is too low",
                    least.rank, lora.rank));
  }
  for (const auto& target : least.targets) {
    if (std::find(lora.targets.begin(), lora.targets.end(), target) == lora.targets.end()) {
      return base::invalid_argument(fmt::format(
          "lora_targets: the adapter that the job begins with has \"{}\", too", target));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<model::AdapterFile>> first_adapter(const TuningTask& task) {
  const auto& from = task.adapter;
  if (from.id.empty()) return std::nullopt;
  ASSIGN_OR_RETURN(const auto base, model::open_model(task.base_path));
  base::ReadFile read = base::map_file;
  if (!from.key.empty())
    read = [&](const std::string& path) { return governance::read_sealed_file(path, from.key); };
  ASSIGN_OR_RETURN(auto adapter,
                   model::open_adapter({from.path, from.config_path}, base->spec, read));
  return adapter;
}

absl::Status run_task(const TuningTask& task, const TrainingData& data,
                      const base::Storage& storage, Reporter& reporter) {
  const base::RealClock clock;
  auto options = options_of(task, storage);
  ASSIGN_OR_RETURN(const auto first, first_adapter(task));
  options.begins_with = first ? &*first : nullptr;
  RETURN_IF_ERROR(settle_lora(task.hyperparameters, options.begins_with, options.lora));
  options.lora.seed = task.seed;
  const auto ranks = train::alone();
  return run_training(options, data, asked_to_stop, reporter, clock, *ranks).status();
}

// Whose fault a run's end is, for the job's error.
void report_failure(const absl::Status& status) {
  const auto text = base::message(status);
  const bool of_valid = text.starts_with("validation_file");
  const bool of_data = of_valid || text.starts_with("training_file");
  const bool of_method = text.starts_with("lora_");
  base::json::object fields{{"message", text}};
  fields["code"] = of_valid                        ? "invalid_validation_file"
                   : of_data                       ? "invalid_training_file"
                   : of_method                     ? "invalid_value"
                   : absl::IsUnimplemented(status) ? "model_not_available"
                                                   : "training_failed";
  if (of_data) fields["param"] = of_valid ? "validation_file" : "training_file";
  if (of_method) fields["param"] = "method";
  say("failed", std::move(fields));
}

absl::Status run_job() {
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  listen_for_stop(false);
  // What is made here is for the service alone, and never world-readable.
  ::umask(077);
  RETURN_IF_ERROR(base::forbid_core_dumps());
  ASSIGN_OR_RETURN(const auto task, read_task());
  if (task.train_bytes > train::kDataBytesMax || task.valid_bytes > train::kDataBytesMax)
    return base::invalid_argument("too much data");
  // Before the first byte of data and of the base is looked at.
  RETURN_IF_ERROR(base::make_folders(task.folder));
  RETURN_IF_ERROR(worker::enter_sandbox_of(task.folder));
  TrainingData data{"", "", "training_file", "validation_file"};
  ASSIGN_OR_RETURN(data.train, read_bytes(task.train_bytes));
  ASSIGN_OR_RETURN(data.valid, read_bytes(task.valid_bytes));
  std::unique_ptr<governance::SealedStorage> sealed;
  if (!task.key.empty()) {
    ASSIGN_OR_RETURN(sealed, governance::SealedStorage::open(task.folder, task.key));
  }
  const base::Storage& storage = sealed != nullptr ? *sealed : base::plain_storage();
  Reporter reporter(task, storage);
  const auto trained = run_task(task, data, storage, reporter);
  // What it begins with was sealed anew: the next process is given the new key.
  if (absl::IsAborted(trained)) return trained;
  if (absl::IsCancelled(trained)) {
    say("stopped");
  } else if (!trained.ok()) {
    report_failure(trained);
  } else if (!task.checks_only) {
    say("finished", {{"trained_tokens", reporter.trained_tokens()}});
  } else {
    say("valid_files");
  }
  return absl::OkStatus();
}

}  // namespace

void add_tuning_command(Command& app, int& exit_code) {
  auto* command = app.add_subcommand("tune-job", "The process of a fine-tuning job")->group("");
  command->callback([&exit_code] {
    const auto status = run_job();
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
