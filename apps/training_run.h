// One run of training from its data to what it leaves, for `plinth finetune` and for jobs of the
// service: they see it through an observer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/training_steps.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/storage.h"
#include "model/adapter_file.h"
#include "train/decoder.h"
#include "train/trainer.h"

namespace plinth {

struct TrainingRunOptions {
  std::string base_name, base_path;
  std::string folder;  // of what the run leaves
  // How checkpoints and adapters lie there; outlives the run. Merged models are always plain.
  const base::Storage* storage = &base::plain_storage();
  bool full = false;  // the weights themselves learn, not an adapter
  train::LoraOptions lora;
  // That `lora` begins with, and which outlives the run; null = with none.
  const model::AdapterFile* begins_with = nullptr;
  bool leaves_merged = true;  // model.gguf beside the adapter
  train::TrainerOptions trainer;
  std::int64_t tokens_max = 2048;
  int threads = 0;                     // of a rank; 0 = its part of what the machine has
  std::int64_t checkpoint_steps = 50;  // between two checkpoints; 0 = only where it is stopped
  ResumeMode resume = ResumeMode::never;
  bool f32 = false;
  bool safetensors = false;       // also the model as Hugging Face's transformers loads it
  bool checks_only = false;       // reads the data, and trains nothing
  bool evaluates_epochs = false;  // beside the start and the end
  // Of ends of epochs before the last, the newest so many leave their adapters in epoch_folder().
  std::size_t epochs_kept = 0;
};

// Texts of JSON lines, with the names that errors and reports have for them.
struct TrainingData {
  std::string train, valid;  // valid "" = none
  std::string train_name, valid_name;
};

// Losses of data that is not learnt, after a step.
struct ValidReport {
  std::int64_t step = 0;
  train::Loss loss;
};

class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void read(const std::string& name, const train::DataReport& report) = 0;
  virtual void shared(std::int64_t /*examples*/, const train::DataReport& /*valid*/) {}
  // What the options' numbers become, once it is known how much there is to learn.
  virtual void resolve(const train::DataReport& /*report*/, train::TrainerOptions& /*options*/) {}
  // Before the first step that this process does; `done` were done before.
  virtual void begin(std::int64_t done, std::int64_t steps) = 0;
  virtual void step(const train::StepReport& report) = 0;
  virtual void valid(const ValidReport& report) = 0;
  // A checkpoint is about to be written: what the observer keeps of a run goes beside it.
  virtual absl::Status save() = 0;
};

// Returns the path of the tuned model, on rank 0; "" where it left none. Cancelled where
// `asked_to_stop` said so: a checkpoint is there then. On every rank, which all see the same files;
// rank 0 writes, and its observer alone is asked to save.
absl::StatusOr<std::string> run_training(const TrainingRunOptions& options,
                                         const TrainingData& data,
                                         const std::function<bool()>& asked_to_stop,
                                         TrainingObserver& observer, const base::Clock& clock,
                                         train::Collective& ranks);

// Where a run keeps the adapter of the epoch that ended with that step, and of which steps it does,
// in their order.
std::string epoch_folder(const std::string& folder, std::int64_t step);
std::vector<std::int64_t> epochs_left(const std::string& folder);

// The first `lines` lines of what an earlier part of a run wrote to `path` behind `head`; "" where
// that is another's.
std::string results_until(const std::string& path, std::string_view head, std::int64_t lines,
                          const base::Storage& storage = base::plain_storage());

double token_accuracy(const train::Loss& loss);

}  // namespace plinth
