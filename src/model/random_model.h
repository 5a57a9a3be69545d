// Llama-shaped models with random weights, for measuring speed and rounding on sizes and types that
// nobody has to download. Their text is noise.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/thread_pool.h"
#include "model/tokenizer_spec.h"
#include "tensor/dtype.h"

namespace plinth::model {

struct RandomModelShape {
  std::string_view name;
  std::uint32_t layers = 0;
  std::uint32_t width = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t ff_width = 0;
  std::uint32_t vocab = 0;  // 258 at least: bytes, pairs of them, and two control tokens
  std::uint32_t context = 0;
};

// "llama-1b" (Llama 3.2 1B's: 1.24 billion weights), "llama-tiny".
std::span<const RandomModelShape> random_model_shapes();

struct RandomModelOptions {
  RandomModelShape shape;
  tensor::DType linear = tensor::DType::q4_0;  // of the layers' matrices
  tensor::DType head = tensor::DType::q6_k;    // of the embedding, which is the head too
  std::uint64_t seed = 1;
  std::string title = {};  // general.name; "" says that it is random
  // With as many tokens as the shape says; null = made up, byte by byte.
  const TokenizerSpec* tokenizer = nullptr;
};

// Writes the model as GGUF, with a byte-level vocabulary and a chat template: the same bytes for
// the same options everywhere. Weights are normal with the deviation that keeps activations near 1.
// InvalidArgument where a type's blocks do not divide a row; Unimplemented for a tokenizer other
// than byte-level BPE of a family that GGUF has a name for.
absl::Status write_random_model(const RandomModelOptions& options, const std::string& path,
                                base::ThreadPool& threads,
                                const std::function<void(std::uint64_t, std::uint64_t)>& progress);

}  // namespace plinth::model
