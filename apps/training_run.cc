#include "apps/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
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

std::string checkpoints_of(const TrainingRunOptions& options) {
  return options.folder + "/checkpoints";
}

// Goes on, or begins where nothing would be lost.
absl::Status begin_run(const TrainingRunOptions& options, train::Trainer& trainer) {
  ASSIGN_OR_RETURN(const auto newest, train::newest_checkpoint(checkpoints_of(options)));
  if (options.resume == ResumeMode::never && newest) {
    return base::failed_precondition(
        fmt::format("{} holds a run that was stopped after step {}: --resume goes on with it, and "
                    "another folder begins anew",
                    options.folder, *newest));
  }
  if (options.resume == ResumeMode::never) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool resumed, trainer.resume(checkpoints_of(options)));
  if (!resumed && options.resume == ResumeMode::must)
    return base::failed_precondition(fmt::format("{} holds no run to go on with", options.folder));
  return absl::OkStatus();
}

struct Datasets {
  train::Dataset train;
  std::optional<train::Dataset> valid;
};

absl::StatusOr<train::Dataset> read_data(const std::string& text, const std::string& name,
                                         const train::ExampleEncoder& encoder,
                                         const train::DataOptions& options) {
  auto dataset = train::Dataset::read(text, encoder, options);
  if (!dataset.ok()) return base::annotate(dataset.status(), name);
  return dataset;
}

absl::StatusOr<Datasets> read_all(const TrainingRunOptions& options, const TrainingData& data,
                                  const model::ModelFile& file, TrainingObserver& observer,
                                  const base::Clock& clock) {
  ASSIGN_OR_RETURN(const auto tokenizer, model::make_tokenizer(file.tokenizer));
  std::optional<model::ChatTemplate> chat_template;
  if (!file.chat_template.empty()) {
    ASSIGN_OR_RETURN(chat_template, model::ChatTemplate::parse(file.chat_template));
  }
  const train::ExampleEncoder encoder(*tokenizer, chat_template ? &*chat_template : nullptr,
                                      clock.unix_seconds());
  const train::DataOptions how{std::min<std::int64_t>(options.tokens_max, file.spec.context),
                               train::prefers(options.trainer.objective.method)};
  ASSIGN_OR_RETURN(auto read, read_data(data.train, data.train_name, encoder, how));
  Datasets all{std::move(read), std::nullopt};
  observer.read(data.train_name, all.train.report());
  if (data.valid.empty()) return all;
  ASSIGN_OR_RETURN(all.valid, read_data(data.valid, data.valid_name, encoder, how));
  observer.read(data.valid_name, all.valid->report());
  if (const auto shared = all.train.shared_with(*all.valid); shared > 0)
    observer.shared(shared, all.valid->report());
  return all;
}

absl::Status save(const TrainingRunOptions& options, train::Trainer& trainer,
                  TrainingObserver& observer) {
  RETURN_IF_ERROR(observer.save());
  return trainer.save(checkpoints_of(options), kCheckpointsKept);
}

absl::Status run_steps(const TrainingRunOptions& options, const Datasets& data,
                       train::Trainer& trainer, const std::function<bool()>& asked_to_stop,
                       TrainingObserver& observer) {
  const auto evaluate = [&](std::int64_t step) {
    if (data.valid) observer.valid({step, trainer.evaluate(*data.valid)});
  };
  if (!options.evaluates_epochs || trainer.done() == 0) evaluate(trainer.done());
  while (trainer.done() < trainer.steps()) {
    if (asked_to_stop()) {
      RETURN_IF_ERROR(save(options, trainer, observer));
      return absl::CancelledError(base::to_absl(
          fmt::format("stopped after step {} of {}; the same command with --resume goes on",
                      trainer.done(), trainer.steps())));
    }
    ASSIGN_OR_RETURN(const auto report, trainer.step());
    // Looked at with the weights that the epoch's last step left.
    const auto of_epoch = trainer.steps() / options.trainer.epochs;
    const bool ends_epoch = of_epoch > 0 && trainer.done() % of_epoch == 0;
    observer.step(report);
    const bool is_last = trainer.done() == trainer.steps();
    if (options.evaluates_epochs && ends_epoch && !is_last) evaluate(trainer.done());
    if (options.checkpoint_steps > 0 && !is_last &&
        trainer.done() % options.checkpoint_steps == 0) {
      RETURN_IF_ERROR(save(options, trainer, observer));
    }
  }
  evaluate(trainer.done());
  return absl::OkStatus();
}

absl::StatusOr<std::string> leave(const TrainingRunOptions& options,
                                  const train::Decoder<float>& decoder,
                                  TrainingObserver& observer) {
  RETURN_IF_ERROR(observer.save());
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
  std::filesystem::remove_all(checkpoints_of(options), error);  // nothing goes on from here
  return merged;
}

}  // namespace

absl::StatusOr<std::string> run_training(const TrainingRunOptions& asked, const TrainingData& data,
                                         const std::function<bool()>& asked_to_stop,
                                         TrainingObserver& observer, const base::Clock& clock) {
  auto options = asked;
  if (options.full) {
    options.lora.rank = 0;
    options.trainer.pass_tokens = train::kPassTokensWhole;
    options.trainer.kept_bytes_max = train::kKeptBytesMaxWhole;
  }
  ASSIGN_OR_RETURN(const auto file, model::open_model(options.base_path));
  ASSIGN_OR_RETURN(const auto datasets, read_all(options, data, *file, observer, clock));
  observer.resolve(datasets.train.report(), options.trainer);
  if (options.checks_only) return "";
  base::ThreadPool threads(
      options.threads > 0 ? options.threads
                          : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  const auto isa = tensor::best_isa();
  const bool bf16 = !options.f32 && tensor::multiplies_bfloat(isa);
  train::Compute compute(threads, isa,
                         bf16 ? tensor::GemmPrecision::bf16 : tensor::GemmPrecision::f32);
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, options.lora, &compute));
  train::Trainer trainer(*decoder, datasets.train, options.trainer, compute);
  if (datasets.valid) trainer.prepare(*datasets.valid);
  RETURN_IF_ERROR(base::make_folders(options.folder));
  RETURN_IF_ERROR(begin_run(options, trainer));
  observer.begin(trainer.done(), trainer.steps());
  RETURN_IF_ERROR(run_steps(options, datasets, trainer, asked_to_stop, observer));
  return leave(options, *decoder, observer);
}

std::string results_until(const std::string& path, std::string_view head, std::int64_t lines) {
  auto text = base::read_file(path, kResultsBytesMax).value_or("");
  if (!text.starts_with(head)) return "";
  text.erase(0, head.size());
  std::size_t end = 0;
  for (; lines > 0 && end != std::string::npos; --lines) {
    end = text.find('\n', end);
    if (end != std::string::npos) ++end;
  }
  return text.substr(0, end);
}

double token_accuracy(const train::Loss& loss) {
  return loss.targets == 0 ? 0
                           : static_cast<double>(loss.correct) / static_cast<double>(loss.targets);
}

}  // namespace plinth
