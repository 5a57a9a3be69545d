// The runner that computes text vectors: an encoder over packed weights, its last layer pooled.
#pragma once

#include <memory>

#include "engine/runner.h"
#include "model/encoder_file.h"
#include "tensor/linear.h"

namespace plinth::engine {

struct EncoderRunnerOptions {
  int threads = 1;
  tensor::Isa isa = tensor::Isa::scalar;  // usually tensor::best_isa()
  // fast: weights and activations of the linear layers as 8-bit integers, those of q, k and v as
  // BF16 where the processor multiplies it, else fp32.
  tensor::LinearMode mode = tensor::LinearMode::fast;
  base::ThreadPool::Pin pin = nullptr;
};

// Packs the weights; the file is kept for its embedding tables. A vector depends on its own
// sequence alone, to the bit, whatever the batch and the number of threads.
absl::StatusOr<std::unique_ptr<EmbeddingRunner>> make_encoder_runner(
    std::unique_ptr<model::EncoderFile> file, const EncoderRunnerOptions& options);

}  // namespace plinth::engine
