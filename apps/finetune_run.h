// One run of `plinth finetune`, and what it shows on the way.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "train/decoder.h"
#include "train/trainer.h"

namespace plinth {

struct FinetuneOptions {
  std::string base_name, base_path;
  std::string data, valid;        // files; valid may be ""
  std::string folder;             // of what the run leaves
  bool full = false;              // the weights themselves learn
  train::LoraOptions lora;        // where they do not
  train::TrainerOptions trainer;  // with the method and its beta
  std::int64_t tokens_max = 2048;
  int threads = 0;                     // 0 = as many as the machine has
  std::int64_t checkpoint_steps = 50;  // between two checkpoints; 0 = only where it is stopped
  bool resume = false;                 // goes on with the run that the folder holds
  bool f32 = false;
  bool json = false;
};

// Leaves an adapter in PEFT's form where there is one, the tuned model, and the losses as CSV.
// Returns the path of that model. SIGINT and SIGTERM leave a checkpoint: Cancelled says how to go
// on.
absl::StatusOr<std::string> run_finetune(const FinetuneOptions& options, const base::Clock& clock);

}  // namespace plinth
