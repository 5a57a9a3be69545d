// One run of `plinth train`: from plain text to a model.
#pragma once

#include <cstdint>
#include <string>

#include "apps/training_text.h"
#include "base/clock.h"
#include "base/status.h"
#include "train/collective.h"
#include "train/trainer.h"

namespace plinth {

struct TrainOptions {
  TextSource text;
  std::string folder;  // of what the run leaves
  std::int64_t layers = 4;
  std::int64_t width = 0;  // 0 = 64 for each layer
  std::int64_t heads = 0;  // 0 = as many as leave 64 numbers to each, or 128 of a wide model
  std::int64_t context = 256;
  std::int64_t eval_steps = 500;  // between two looks at what is not learnt
  train::TrainerOptions trainer;  // 0 steps, a rate of 0: by the model's size
  int threads = 0;                // of a rank; 0 = its part of what the machine has
  std::int64_t checkpoint_steps = 500;
  bool resume = false;
  bool f32 = false;
  bool safetensors = false;  // also the model as Hugging Face's transformers loads it
};

// What is 0 follows from the model's size: 20 tokens for each weight (Hoffmann et al., "Training
// compute-optimal large language models", 2022), and a rate that falls with the root of its width.
// Leaves model.gguf and results.csv. Returns the path of that model, on rank 0. SIGINT and SIGTERM
// leave a checkpoint: Cancelled says how to go on. On every rank, which all see the same files;
// rank 0 writes.
absl::StatusOr<std::string> run_train(const TrainOptions& options, const base::Clock& clock,
                                      train::Collective& ranks);

}  // namespace plinth
