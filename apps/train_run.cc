#include "apps/train_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>
#include <vector>

#include "apps/stop_signals.h"
#include "apps/train_log.h"
#include "apps/trained_model.h"
#include "apps/training_run.h"
#include "base/file.h"
#include "model/model_file.h"
#include "model/random_model.h"
#include "train/agreement.h"
#include "train/limits.h"
#include "train/token_stream.h"

namespace plinth {

namespace {

constexpr std::int64_t kWideFrom = 512;  // widths whose heads have 128 numbers
constexpr double kTokensPerWeight = 20;

// Gated: three matrices of 8/3 widths are as many weights as two of four.
std::int64_t ff_width(std::int64_t width) { return (width * 8 / 3 + 31) / 32 * 32; }

std::int64_t weights_of(const TrainOptions& options, std::int64_t vocab) {
  const auto width = options.width;
  return vocab * width + options.layers * (4 * width * width + 3 * width * ff_width(width));
}

absl::Status check(const TrainOptions& options) {
  if (options.width % 32 == 0 && options.width % options.heads == 0 &&
      options.width / options.heads % 4 == 0)
    return absl::OkStatus();
  return base::invalid_argument(
      fmt::format("a width of {} with {} heads: it must be a multiple of 32, and a head's part of "
                  "it one of 4",
                  options.width, options.heads));
}

// The model before its first step.
absl::Status write_start(const TrainOptions& options, const model::TokenizerSpec& tokenizer,
                         const std::string& path, base::ThreadPool& threads) {
  const auto number = [](std::int64_t value) { return static_cast<std::uint32_t>(value); };
  model::RandomModelOptions start;
  start.shape = {"",
                 number(options.layers),
                 number(options.width),
                 number(options.heads),
                 number(options.heads),
                 number(ff_width(options.width)),
                 number(static_cast<std::int64_t>(tokenizer.tokens.size())),
                 number(options.context)};
  start.linear = start.head = tensor::DType::f32;
  start.seed = options.trainer.seed;
  start.title = std::filesystem::path(options.folder).filename().string();
  start.tokenizer = &tokenizer;
  return model::write_random_model(start, path, threads, nullptr);
}

TrainOptions derived(TrainOptions options, std::int64_t vocab) {
  if (options.width == 0) options.width = 64 * options.layers;
  if (options.heads == 0)
    options.heads =
        std::max<std::int64_t>(1, options.width / (options.width < kWideFrom ? 64 : 128));
  auto& trainer = options.trainer;
  trainer.pass_tokens = train::kPassTokensWhole;
  trainer.kept_bytes_max = train::kKeptBytesMaxWhole;
  if (trainer.steps == 0) {
    const auto step_tokens = static_cast<double>(trainer.batch_size * options.context);
    trainer.steps = static_cast<std::int64_t>(std::ceil(
        kTokensPerWeight * static_cast<double>(weights_of(options, vocab)) / step_tokens));
  }
  // GPT-2's rate at its width.
  if (trainer.schedule.rate == 0)
    trainer.schedule.rate = 6e-4 * std::sqrt(768.0 / static_cast<double>(options.width));
  if (trainer.schedule.warmup_steps == 0)
    trainer.schedule.warmup_steps = std::min<std::int64_t>(100, trainer.steps / 20);
  return options;
}

}  // namespace

absl::StatusOr<std::string> run_train(const TrainOptions& asked, const base::Clock& clock,
                                      train::Collective& ranks) {
  listen_for_stop();
  ASSIGN_OR_RETURN(auto text, read_training_text(asked.text, asked.context));
  const auto vocab = static_cast<std::int64_t>(text.tokenizer.tokens.size());
  const auto options = derived(asked, vocab);
  RETURN_IF_ERROR(check(options));
  base::ThreadPool threads(training_threads(options.threads, ranks));
  RETURN_IF_ERROR(base::make_folders(options.folder));
  const bool writes = ranks.place().rank == 0;
  const auto start = options.folder + "/start.gguf";
  RETURN_IF_ERROR(train::agree(
      ranks, writes ? write_start(options, text.tokenizer, start, threads) : absl::OkStatus()));
  ASSIGN_OR_RETURN(const auto file, model::open_model(start));
  ASSIGN_OR_RETURN(const auto forms, model_forms(start, *file, options.safetensors));
  train::Compute compute(threads, tensor::best_isa(), training_precision(options.f32));
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, {}, &compute));
  const auto shape = fmt::format("{} layers of width {}, {} heads, {} weights", options.layers,
                                 options.width, options.heads, weights_of(options, vocab));
  const auto data =
      fmt::format("{} tokens of {}, and {} unseen", text.train.size(), vocab, text.valid.size());
  if (writes) fmt::print(stderr, "{}; {}\n", shape, data);
  const Facts facts = {{"model", shape}, {options.text.data, data}};
  const auto valid =
      train::make_stream_objective(std::move(text.valid), options.context, options.context);
  train::Trainer trainer(*decoder,
                         train::make_stream_objective(std::move(text.train), options.context, 1),
                         options.trainer, compute, &ranks);
  TrainLog log(options, trainer, *valid, text.valid_bytes_per_token, clock);
  RETURN_IF_ERROR(log.begin());
  RETURN_IF_ERROR(log.run());
  if (!writes) return "";
  ASSIGN_OR_RETURN(const auto to,
                   write_model(forms, {start, options.folder, {}}, *file, decoder->parameters()));
  RETURN_IF_ERROR(log.leave_report(to, facts));
  std::error_code error;  // nothing goes on from here
  std::filesystem::remove(start, error);
  std::filesystem::remove_all(checkpoints_of(options.folder), error);
  return to;
}

}  // namespace plinth
