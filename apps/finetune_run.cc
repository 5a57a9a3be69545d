#include "apps/finetune_run.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "apps/terminal.h"
#include "base/file.h"
#include "base/json.h"
#include "model/chat_template.h"
#include "model/model_file.h"
#include "model/tokenizer.h"
#include "train/adapter.h"
#include "train/checkpoint.h"
#include "train/limits.h"
#include "train/whole_model.h"

namespace plinth {

namespace {

constexpr int kCheckpointsKept = 2;
constexpr std::size_t kResultsBytesMax = 64u << 20;
constexpr char kResultsHead[] =
    "step,train_loss,train_mean_token_accuracy,learning_rate,gradient_norm\n";
// Accuracy is of pairs, and a margin is of their rewards.
constexpr char kPreferenceHead[] =
    "step,train_loss,train_preference_accuracy,learning_rate,gradient_norm,train_reward_margin\n";

const char* results_head(const FinetuneOptions& options) {
  return train::prefers(options.trainer.objective.method) ? kPreferenceHead : kResultsHead;
}

double margin_of(const train::Loss& loss) {
  return loss.targets == 0 ? 0 : loss.margin / static_cast<double>(loss.targets);
}

std::atomic<bool> asked_to_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

void listen_for_signals() {
  for (const int signal : {SIGINT, SIGTERM})
    ::signal(signal, [](int) { asked_to_stop.store(true); });
}

double seconds_between(base::TimePoint from, base::TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

// What a person, or a program with --json, sees of a run; and the lines of its CSV.
class RunLog {
 public:
  // `results`: of the steps that were done before.
  RunLog(const FinetuneOptions& options, std::int64_t done, std::int64_t steps, std::string results,
         const base::Clock& clock)
      : json_(options.json),
        prefers_(train::prefers(options.trainer.objective.method)),
        head_(results_head(options)),
        done_(done),
        steps_(steps),
        clock_(clock),
        begun_(clock.now()),
        csv_(std::move(results)) {}

  void step(const train::StepReport& report) {
    tokens_ += report.tokens;
    const double accuracy = report.loss.targets == 0 ? 0
                                                     : static_cast<double>(report.loss.correct) /
                                                           static_cast<double>(report.loss.targets);
    csv_ += fmt::format("{},{:.6f},{:.6f},{:.6g},{:.6f}", report.step, report.loss.mean(), accuracy,
                        report.learning_rate, report.gradient_norm);
    csv_ += prefers_ ? fmt::format(",{:.6f}\n", margin_of(report.loss)) : "\n";
    const double seconds = seconds_between(begun_, clock_.now());
    const double rate = seconds > 0 ? static_cast<double>(tokens_) / seconds : 0;
    if (json_) {
      base::json::object line{{"step", report.step},
                              {"steps", steps_},
                              {"loss", report.loss.mean()},
                              {"accuracy", accuracy},
                              {"learning_rate", report.learning_rate},
                              {"gradient_norm", report.gradient_norm},
                              {"tokens_per_second", rate}};
      if (prefers_) line["margin"] = margin_of(report.loss);
      fmt::print("{}\n", base::to_json(line));
      std::fflush(stdout);
      return;
    }
    const bool redraws = is_terminal(STDERR_FILENO);
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
  void valid(const train::Loss& loss) const {
    if (loss.targets == 0) return;
    fmt::print(stderr, "valid: loss {:.4f}, accuracy {:.3f}{}\n", loss.mean(),
               static_cast<double>(loss.correct) / static_cast<double>(loss.targets),
               prefers_ ? fmt::format(", margin {:.3f}", margin_of(loss)) : "");
  }
  std::string csv() const { return head_ + csv_; }

 private:
  const bool json_, prefers_;
  const std::string head_;
  const std::int64_t done_, steps_;
  const base::Clock& clock_;
  const base::TimePoint begun_;
  std::int64_t tokens_ = 0, tenth_ = -1;
  std::string csv_;
};

// The first `steps` lines of what an earlier part of the run left.
std::string results_until(const FinetuneOptions& options, std::int64_t steps) {
  auto text = base::read_file(options.folder + "/results.csv", kResultsBytesMax).value_or("");
  const std::string_view head = results_head(options);
  if (text.compare(0, head.size(), head) != 0) return "";
  text.erase(0, head.size());
  std::size_t end = 0;
  for (; steps > 0 && end != std::string::npos; --steps) {
    end = text.find('\n', end);
    if (end != std::string::npos) ++end;
  }
  return text.substr(0, end);
}

// Goes on, or begins where nothing would be lost.
absl::Status begin_run(const FinetuneOptions& options, train::Trainer& trainer) {
  const auto folder = options.folder + "/checkpoints";
  ASSIGN_OR_RETURN(const auto newest, train::newest_checkpoint(folder));
  if (!options.resume && newest) {
    return base::failed_precondition(
        fmt::format("{} holds a run that was stopped after step {}: --resume goes on with it, and "
                    "another folder begins anew",
                    options.folder, *newest));
  }
  if (!options.resume) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool resumed, trainer.resume(folder));
  if (!resumed)
    return base::failed_precondition(fmt::format("{} holds no run to go on with", options.folder));
  fmt::print(stderr, "goes on after step {}\n", trainer.done());
  return absl::OkStatus();
}

absl::Status save(const FinetuneOptions& options, train::Trainer& trainer, const RunLog& log) {
  RETURN_IF_ERROR(base::write_file_atomic(options.folder + "/results.csv", log.csv()));
  return trainer.save(options.folder + "/checkpoints", kCheckpointsKept);
}

absl::Status run_steps(const FinetuneOptions& options, train::Trainer& trainer, RunLog& log) {
  while (trainer.done() < trainer.steps()) {
    if (asked_to_stop.load()) {
      RETURN_IF_ERROR(save(options, trainer, log));
      return absl::CancelledError(base::to_absl(
          fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                      trainer.done(), trainer.steps())));
    }
    ASSIGN_OR_RETURN(const auto report, trainer.step());
    log.step(report);
    const bool is_last = trainer.done() == trainer.steps();
    if (options.checkpoint_steps > 0 && !is_last &&
        trainer.done() % options.checkpoint_steps == 0) {
      RETURN_IF_ERROR(save(options, trainer, log));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<train::Dataset> read_data(const std::string& path,
                                         const train::ExampleEncoder& encoder,
                                         const train::DataOptions& options) {
  ASSIGN_OR_RETURN(const auto text, base::read_file(path, train::kDataBytesMax));
  auto dataset = train::Dataset::read(text, encoder, options);
  if (!dataset.ok()) return base::annotate(dataset.status(), path);
  return dataset;
}

void show_data(const std::string& path, bool prefers, const train::DataReport& report) {
  fmt::print(stderr,
             "{}: {} {} of {} tokens, {} of them learnt; the longest has {}, {} were cut, {} "
             "equal earlier ones\n",
             path, report.examples, prefers ? "pairs" : "examples", report.tokens, report.targets,
             report.longest, report.truncated, report.duplicates);
}

absl::StatusOr<std::string> leave(const FinetuneOptions& options,
                                  const train::Decoder<float>& decoder, const RunLog& log) {
  RETURN_IF_ERROR(base::write_file_atomic(options.folder + "/results.csv", log.csv()));
  const auto merged = options.folder + "/model.gguf";
  if (options.full) {
    RETURN_IF_ERROR(train::write_whole_gguf(decoder.parameters(), options.base_path,
                                            tensor::DType::q8_0, merged));
  } else {
    RETURN_IF_ERROR(train::write_peft_adapter(decoder, options.lora, options.base_name,
                                              options.folder + "/adapter"));
    RETURN_IF_ERROR(train::write_merged_gguf(decoder.parameters(), options.lora, options.base_path,
                                             tensor::DType::q8_0, merged));
  }
  std::error_code error;
  std::filesystem::remove_all(options.folder + "/checkpoints", error);  // nothing goes on from here
  return merged;
}

}  // namespace

absl::StatusOr<std::string> run_finetune(const FinetuneOptions& options, const base::Clock& clock) {
  listen_for_signals();
  ASSIGN_OR_RETURN(const auto file, model::open_model(options.base_path));
  ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(file->tokenizer));
  std::optional<model::ChatTemplate> chat_template;
  if (!file->chat_template.empty()) {
    ASSIGN_OR_RETURN(chat_template, model::ChatTemplate::parse(file->chat_template));
  }
  const train::ExampleEncoder encoder(*tokenizer, chat_template ? &*chat_template : nullptr,
                                      clock.unix_seconds());
  const train::DataOptions data_options{
      std::min<std::int64_t>(options.tokens_max, file->spec.context),
      train::prefers(options.trainer.objective.method)};
  ASSIGN_OR_RETURN(const auto data, read_data(options.data, encoder, data_options));
  show_data(options.data, data_options.preferences, data.report());
  std::optional<train::Dataset> valid;
  if (!options.valid.empty()) {
    ASSIGN_OR_RETURN(valid, read_data(options.valid, encoder, data_options));
    show_data(options.valid, data_options.preferences, valid->report());
    if (const auto shared = data.shared_with(*valid); shared > 0) {
      fmt::print(stderr, "{} of {} examples of {} are learnt, too: what it says is too good\n",
                 shared, valid->report().examples, options.valid);
    }
  }
  base::ThreadPool threads(
      options.threads > 0 ? options.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  const auto isa = tensor::best_isa();
  const bool bf16 = !options.f32 && tensor::multiplies_bfloat(isa);
  train::Compute compute(threads, isa,
                         bf16 ? tensor::GemmPrecision::bf16 : tensor::GemmPrecision::f32);
  auto lora = options.lora;
  if (options.full) lora.rank = 0;
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, lora, &compute));
  train::Trainer trainer(*decoder, data, options.trainer, compute);
  if (valid) trainer.prepare(*valid);
  RETURN_IF_ERROR(base::make_folders(options.folder));
  RETURN_IF_ERROR(begin_run(options, trainer));
  RunLog log(options, trainer.done(), trainer.steps(), results_until(options, trainer.done()),
             clock);
  if (valid) log.valid(trainer.evaluate(*valid));
  RETURN_IF_ERROR(run_steps(options, trainer, log));
  if (valid) log.valid(trainer.evaluate(*valid));
  return leave(options, *decoder, log);
}

}  // namespace plinth
