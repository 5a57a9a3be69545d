#include "apps/training_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "apps/trained_model.h"
#include "base/file.h"
#include "model/chat_template.h"
#include "model/model_file.h"
#include "model/tokenizer.h"
#include "train/adapter.h"
#include "train/adapter_start.h"
#include "train/limits.h"
#include "train/whole_model.h"

namespace plinth {

namespace {

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

absl::Status leave_epoch(const TrainingRunOptions& options, const train::Decoder<float>& decoder,
                         std::int64_t step) {
  if (options.epochs_kept == 0) return absl::OkStatus();
  RETURN_IF_ERROR(train::write_peft_adapter(decoder, options.lora, options.base_name,
                                            epoch_folder(options.folder, step), *options.storage));
  auto left = epochs_left(options.folder);
  std::error_code error;
  for (; left.size() > options.epochs_kept; left.erase(left.begin()))
    std::filesystem::remove_all(epoch_folder(options.folder, left.front()), error);
  return absl::OkStatus();
}

absl::Status run_and_evaluate(const TrainingRunOptions& options, const Datasets& data,
                              const train::Decoder<float>& decoder, train::Trainer& trainer,
                              const std::function<bool()>& asked_to_stop,
                              TrainingObserver& observer) {
  const auto evaluate = [&]() -> absl::Status {
    if (!data.valid) return absl::OkStatus();
    ASSIGN_OR_RETURN(const auto loss, trainer.evaluate(*data.valid));
    observer.valid({trainer.done(), loss});
    return absl::OkStatus();
  };
  if (!options.evaluates_epochs || trainer.done() == 0) RETURN_IF_ERROR(evaluate());
  const auto of_epoch = trainer.steps() / options.trainer.epochs;
  StepsOptions steps;
  steps.folder = options.folder;
  steps.storage = options.storage;
  steps.checkpoint_steps = options.checkpoint_steps;
  steps.asked_to_stop = asked_to_stop;
  steps.save = [&] { return observer.save(); };
  steps.after_step = [&](const train::StepReport& report) {
    observer.step(report);
    // Looked at with the weights that the epoch's last step left.
    const bool ends_epoch = of_epoch > 0 && trainer.done() % of_epoch == 0;
    if (!ends_epoch || trainer.done() == trainer.steps()) return absl::OkStatus();
    if (trainer.ranks().place().rank == 0)
      RETURN_IF_ERROR(leave_epoch(options, decoder, trainer.done()));
    return options.evaluates_epochs ? evaluate() : absl::OkStatus();
  };
  RETURN_IF_ERROR(run_steps(steps, trainer));
  return evaluate();
}

absl::StatusOr<std::string> leave(const TrainingRunOptions& options, const ModelForms& forms,
                                  const model::ModelFile& file,
                                  const train::Decoder<float>& decoder,
                                  TrainingObserver& observer) {
  RETURN_IF_ERROR(observer.save());
  if (!options.full) {
    RETURN_IF_ERROR(train::write_peft_adapter(decoder, options.lora, options.base_name,
                                              options.folder + "/adapter", *options.storage));
  }
  ASSIGN_OR_RETURN(const auto model,
                   write_model(forms, {options.base_path, options.folder, options.lora}, file,
                               decoder.parameters()));
  std::error_code error;
  std::filesystem::remove_all(checkpoints_of(options.folder), error);  // nothing goes on from here
  return model;
}

}  // namespace

absl::StatusOr<std::string> run_training(const TrainingRunOptions& asked, const TrainingData& data,
                                         const std::function<bool()>& asked_to_stop,
                                         TrainingObserver& observer, const base::Clock& clock,
                                         train::Collective& ranks) {
  auto options = asked;
  if (options.full) {
    options.lora.rank = 0;
    options.trainer.pass_tokens = train::kPassTokensWhole;
    options.trainer.kept_bytes_max = train::kKeptBytesMaxWhole;
  }
  ASSIGN_OR_RETURN(const auto file, model::open_model(options.base_path));
  ModelForms forms;
  if (options.full || options.leaves_merged) {
    ASSIGN_OR_RETURN(forms, model_forms(options.base_path, *file, options.safetensors));
  }
  ASSIGN_OR_RETURN(const auto datasets, read_all(options, data, *file, observer, clock));
  observer.resolve(datasets.train.report(), options.trainer);
  if (options.checks_only) return "";
  base::ThreadPool threads(training_threads(options.threads, ranks));
  train::Compute compute(threads, tensor::best_isa(), training_precision(options.f32));
  ASSIGN_OR_RETURN(const auto decoder,
                   train::Decoder<float>::make(file->spec, file->weights, options.lora, &compute));
  if (options.begins_with != nullptr)
    RETURN_IF_ERROR(train::begin_with(*options.begins_with, options.lora, decoder->parameters()));
  train::Trainer trainer(*decoder, datasets.train, options.trainer, compute, &ranks);
  if (datasets.valid) trainer.prepare(*datasets.valid);
  RETURN_IF_ERROR(base::make_folders(options.folder));
  RETURN_IF_ERROR(begin_run(options.folder, options.resume, trainer, *options.storage));
  observer.begin(trainer.done(), trainer.steps());
  RETURN_IF_ERROR(run_and_evaluate(options, datasets, *decoder, trainer, asked_to_stop, observer));
  if (ranks.place().rank != 0) return "";
  return leave(options, forms, *file, *decoder, observer);
}

std::string epoch_folder(const std::string& folder, std::int64_t step) {
  return fmt::format("{}/epochs/{}", folder, step);
}

std::vector<std::int64_t> epochs_left(const std::string& folder) {
  std::vector<std::int64_t> steps;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder + "/epochs", error)) {
    const auto name = entry.path().filename().string();
    std::int64_t step = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), step);
    if (wrong == std::errc() && end == name.data() + name.size()) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string results_until(const std::string& path, std::string_view head, std::int64_t lines,
                          const base::Storage& storage) {
  const auto file = storage.read(path);
  std::string text(file.ok() ? file->text() : "");
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
