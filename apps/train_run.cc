#include "apps/train_run.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <thread>
#include <vector>

#include "base/file.h"
#include "model/model_file.h"
#include "model/random_model.h"
#include "train/checkpoint.h"
#include "train/limits.h"
#include "train/token_stream.h"
#include "train/whole_model.h"

namespace plinth {

namespace {

constexpr int kCheckpointsKept = 2;
constexpr std::int64_t kByteTokens = 258;  // and two that control
constexpr std::int64_t kWideFrom = 512;    // widths whose heads have 128 numbers
constexpr double kTokensPerWeight = 20;
constexpr std::size_t kResultsBytesMax = 64u << 20;
constexpr char kResultsHead[] = "step,train_loss,learning_rate,gradient_norm,valid_loss\n";

std::atomic<bool> asked_to_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal's handler sets it");

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
      : options_(options), trainer_(trainer), valid_(valid), clock_(clock), begun_(clock.now()) {}

  absl::Status begin() {
    const auto folder = options_.folder + "/checkpoints";
    ASSIGN_OR_RETURN(const auto newest, train::newest_checkpoint(folder));
    if (newest.has_value() != options_.resume) {
      return base::failed_precondition(
          newest
              ? fmt::format("{} holds a run that was stopped after step {}: --resume goes on with "
                            "it, and another folder begins anew",
                            options_.folder, *newest)
              : fmt::format("{} holds no run to go on with", options_.folder));
    }
    if (!options_.resume) return absl::OkStatus();
    RETURN_IF_ERROR(trainer_.resume(folder).status());
    csv_ = base::read_file(options_.folder + "/results.csv", kResultsBytesMax).value_or(csv_);
    fmt::print(stderr, "goes on after step {}\n", trainer_.done());
    return absl::OkStatus();
  }

  absl::Status steps() {
    while (trainer_.done() < trainer_.steps()) {
      if (asked_to_stop.load()) {
        RETURN_IF_ERROR(save());
        return absl::CancelledError(base::to_absl(
            fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                        trainer_.done(), trainer_.steps())));
      }
      ASSIGN_OR_RETURN(const auto report, trainer_.step());
      tokens_ += report.tokens;
      show(report);
      const auto every = options_.checkpoint_steps;
      if (every > 0 && trainer_.done() != trainer_.steps() && trainer_.done() % every == 0)
        RETURN_IF_ERROR(save());
    }
    return base::write_file_atomic(options_.folder + "/results.csv", csv_);
  }

 private:
  absl::Status save() {
    RETURN_IF_ERROR(base::write_file_atomic(options_.folder + "/results.csv", csv_));
    return trainer_.save(options_.folder + "/checkpoints", kCheckpointsKept);
  }
  void show(const train::StepReport& report) {
    csv_ += fmt::format("{},{:.6f},{:.6g},{:.6f},", report.step, report.loss.mean(),
                        report.learning_rate, report.gradient_norm);
    if (report.step % options_.eval_steps == 0 || report.step == trainer_.steps()) {
      const double seconds = std::chrono::duration<double>(clock_.now() - begun_).count();
      const double loss = trainer_.evaluate(valid_).mean();
      csv_ += fmt::format("{:.6f}", loss);
      fmt::print(stderr,
                 "step {}/{}  loss {:.4f}  valid {:.4f}, {:.4f} bits per byte  {:.1f} s  {:.0f} "
                 "tokens/s\n",
                 report.step, trainer_.steps(), report.loss.mean(), loss, loss / std::numbers::ln2,
                 seconds, static_cast<double>(tokens_) / seconds);
    }
    csv_ += "\n";
  }

  const TrainOptions& options_;
  train::Trainer& trainer_;
  train::Objective& valid_;
  const base::Clock& clock_;
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

absl::StatusOr<std::string> run_train(const TrainOptions& options, const base::Clock& clock) {
  for (const int signal : {SIGINT, SIGTERM})
    ::signal(signal, [](int) { asked_to_stop.store(true); });
  ASSIGN_OR_RETURN(const auto text, base::read_file(options.data, train::kDataBytesMax));
  RETURN_IF_ERROR(check(options, text.size()));
  base::ThreadPool threads(
      options.threads > 0 ? options.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  RETURN_IF_ERROR(base::make_folders(options.folder));
  const auto start = options.folder + "/start.gguf", to = options.folder + "/model.gguf";
  RETURN_IF_ERROR(write_start(options, start, threads));
  ASSIGN_OR_RETURN(const auto file, model::open_model(start));
  ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(file->tokenizer));
  ASSIGN_OR_RETURN(const auto ids, tokenizer->encode(text, {}));
  const auto valid_begin =
      ids.end() - static_cast<std::ptrdiff_t>(static_cast<double>(ids.size()) * options.valid_part);
  const auto valid =
      train::make_stream_objective({valid_begin, ids.end()}, options.context, options.context);
  const auto isa = tensor::best_isa();
  const bool bf16 = !options.f32 && tensor::multiplies_bfloat(isa);
  train::Compute compute(threads, isa,
                         bf16 ? tensor::GemmPrecision::bf16 : tensor::GemmPrecision::f32);
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, {}, &compute));
  fmt::print(stderr, "{} layers of width {}, {} heads, {} weights; {} tokens, {} of them unseen\n",
             options.layers, options.width, options.heads, weights_of(options), ids.size(),
             ids.end() - valid_begin);
  train::Trainer trainer(
      *decoder, train::make_stream_objective({ids.begin(), valid_begin}, options.context, 1),
      options.trainer, compute);
  Run run(options, trainer, *valid, clock);
  RETURN_IF_ERROR(run.begin());
  RETURN_IF_ERROR(run.steps());
  RETURN_IF_ERROR(train::write_whole_gguf(decoder->parameters(), start, tensor::DType::q8_0, to));
  std::error_code error;  // nothing goes on from here
  std::filesystem::remove(start, error);
  std::filesystem::remove_all(options.folder + "/checkpoints", error);
  return to;
}

}  // namespace plinth
