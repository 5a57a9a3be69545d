#include "apps/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <vector>

#include "apps/stop_signals.h"
#include "apps/training_run.h"
#include "base/file.h"
#include "model/model_file.h"
#include "model/random_model.h"
#include "train/agreement.h"
#include "train/limits.h"
#include "train/token_stream.h"
#include "train/whole_model.h"

namespace plinth {

namespace {

constexpr std::int64_t kByteTokens = 258;  // and two that control
constexpr std::int64_t kWideFrom = 512;    // widths whose heads have 128 numbers
constexpr double kTokensPerWeight = 20;
constexpr char kResultsHead[] = "step,train_loss,learning_rate,gradient_norm,valid_loss\n";

// Gated: three matrices of 8/3 widths are as many weights as two of four.
std::int64_t ff_width(std::int64_t width) { return (width * 8 / 3 + 31) / 32 * 32; }

std::int64_t weights_of(const TrainOptions& options) {
  const auto width = options.width;
  return kByteTokens * width + options.layers * (4 * width * width + 3 * width * ff_width(width));
}

absl::Status check(const TrainOptions& options, std::size_t bytes) {
  if (options.width % 32 != 0 || options.width % options.heads != 0 ||
      options.width / options.heads % 4 != 0) {
    return base::invalid_argument(fmt::format(
        "a width of {} with {} heads: it must be a multiple of 32, and a head's part of "
        "it one of 4",
        options.width, options.heads));
  }
  const auto valid = static_cast<std::size_t>(static_cast<double>(bytes) * options.valid_part);
  if (std::min(valid, bytes - valid) <= static_cast<std::size_t>(options.context)) {
    return base::invalid_argument(
        fmt::format("{} has {} bytes: too few for windows of {}; give it more text or a shorter "
                    "--context",
                    options.data, bytes, options.context));
  }
  return absl::OkStatus();
}

// The model before its first step.
absl::Status write_start(const TrainOptions& options, const std::string& path,
                         base::ThreadPool& threads) {
  const auto number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  model::RandomModelOptions start;
  start.shape = {"",
                 number(options.layers),
                 number(options.width),
                 number(options.heads),
                 number(options.heads),
                 number(ff_width(options.width)),
                 number(kByteTokens),
                 number(options.context)};
  start.linear = start.head = tensor::DType::f32;
  start.seed = options.trainer.seed;
  start.title = std::filesystem::path(options.folder).filename().string();
  return model::write_random_model(start, path, threads, nullptr);
}

class Run {
 public:
  Run(const TrainOptions& options, train::Trainer& trainer, train::Objective& valid,
      const base::Clock& clock)
      : options_(options),
        trainer_(trainer),
        valid_(valid),
        clock_(clock),
        speaks_(trainer.ranks().place().rank == 0),
        begun_(clock.now()) {}

  absl::Status begin() {
    RETURN_IF_ERROR(begin_run(options_.folder,
                              options_.resume ? ResumeMode::must : ResumeMode::never, trainer_));
    if (!options_.resume) return absl::OkStatus();
    csv_ += results_until(results(), kResultsHead, trainer_.done());
    if (speaks_) fmt::print(stderr, "goes on after step {}\n", trainer_.done());
    return absl::OkStatus();
  }

  absl::Status steps() {
    StepsOptions steps;
    steps.folder = options_.folder;
    steps.checkpoint_steps = options_.checkpoint_steps;
    steps.asked_to_stop = asked_to_stop;
    steps.save = [this] { return save(); };
    steps.after_step = [this](const train::StepReport& report) { return show(report); };
    RETURN_IF_ERROR(run_steps(steps, trainer_));
    return speaks_ ? save() : absl::OkStatus();
  }

 private:
  std::string results() const { return options_.folder + "/results.csv"; }
  absl::Status save() const { return base::write_file_atomic(results(), csv_); }
  absl::Status show(const train::StepReport& report) {
    tokens_ += report.tokens;
    csv_ += fmt::format("{},{:.6f},{:.6g},{:.6f},", report.step, report.loss.mean(),
                        report.learning_rate, report.gradient_norm);
    if (report.step % options_.eval_steps == 0 || report.step == trainer_.steps()) {
      const double seconds = std::chrono::duration<double>(clock_.now() - begun_).count();
      ASSIGN_OR_RETURN(const auto valid, trainer_.evaluate(valid_));
      const double loss = valid.mean();
      csv_ += fmt::format("{:.6f}", loss);
      if (speaks_) {
        fmt::print(stderr,
                   "step {}/{}  loss {:.4f}  valid {:.4f}, {:.4f} bits per byte  {:.1f} s  {:.0f} "
                   "tokens/s\n",
                   report.step, trainer_.steps(), report.loss.mean(), loss,
                   loss / std::numbers::ln2, seconds, static_cast<double>(tokens_) / seconds);
      }
    }
    csv_ += "\n";
    return absl::OkStatus();
  }

  const TrainOptions& options_;
  train::Trainer& trainer_;
  train::Objective& valid_;
  const base::Clock& clock_;
  const bool speaks_;
  const base::TimePoint begun_;
  std::int64_t tokens_ = 0;
  std::string csv_ = kResultsHead;
};

}  // namespace

TrainOptions derived(TrainOptions options) {
  if (options.width == 0) options.width = 64 * options.layers;
  if (options.heads == 0)
    options.heads =
        std::max<std::int64_t>(1, options.width / (options.width < kWideFrom ? 64 : 128));
  auto& trainer = options.trainer;
  trainer.pass_tokens = train::kPassTokensWhole;
  trainer.kept_bytes_max = train::kKeptBytesMaxWhole;
  if (trainer.steps == 0) {
    const auto step_tokens = static_cast<double>(trainer.batch_size * options.context);
    trainer.steps = static_cast<std::int64_t>(
        std::ceil(kTokensPerWeight * static_cast<double>(weights_of(options)) / step_tokens));
  }
  // GPT-2's rate at its width.
  if (trainer.schedule.rate == 0)
    trainer.schedule.rate = 6e-4 * std::sqrt(768.0 / static_cast<double>(options.width));
  if (trainer.schedule.warmup_steps == 0)
    trainer.schedule.warmup_steps = std::min<std::int64_t>(100, trainer.steps / 20);
  return options;
}

absl::StatusOr<std::string> run_train(const TrainOptions& options, const base::Clock& clock,
                                      train::Collective& ranks) {
  listen_for_stop();
  ASSIGN_OR_RETURN(const auto text, base::read_file(options.data, train::kDataBytesMax));
  RETURN_IF_ERROR(check(options, text.size()));
  base::ThreadPool threads(training_threads(options.threads, ranks));
  RETURN_IF_ERROR(base::make_folders(options.folder));
  const bool writes = ranks.place().rank == 0;
  const auto start = options.folder + "/start.gguf", to = options.folder + "/model.gguf";
  RETURN_IF_ERROR(
      train::agree(ranks, writes ? write_start(options, start, threads) : absl::OkStatus()));
  ASSIGN_OR_RETURN(const auto file, model::open_model(start));
  ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(file->tokenizer));
  ASSIGN_OR_RETURN(const auto ids, tokenizer->encode(text, {}));
  const auto valid_begin =
      ids.end() - static_cast<std::ptrdiff_t>(static_cast<double>(ids.size()) * options.valid_part);
  const auto valid =
      train::make_stream_objective({valid_begin, ids.end()}, options.context, options.context);
  train::Compute compute(threads, tensor::best_isa(), training_precision(options.f32));
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, {}, &compute));
  if (writes) {
    fmt::print(stderr,
               "{} layers of width {}, {} heads, {} weights; {} tokens, {} of them unseen\n",
               options.layers, options.width, options.heads, weights_of(options), ids.size(),
               ids.end() - valid_begin);
  }
  train::Trainer trainer(
      *decoder, train::make_stream_objective({ids.begin(), valid_begin}, options.context, 1),
      options.trainer, compute, &ranks);
  Run run(options, trainer, *valid, clock);
  RETURN_IF_ERROR(run.begin());
  RETURN_IF_ERROR(run.steps());
  if (!writes) return to;
  RETURN_IF_ERROR(train::write_whole_gguf(decoder->parameters(), start, tensor::DType::q8_0, to));
  std::error_code error;  // nothing goes on from here
  std::filesystem::remove(start, error);
  std::filesystem::remove_all(checkpoints_of(options.folder), error);
  return to;
}

}  // namespace plinth
