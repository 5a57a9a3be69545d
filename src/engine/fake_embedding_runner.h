// An embedding runner without weights: a vector is a fixed function of its sequence's tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/runner.h"

namespace plinth::engine {

struct FakeEmbeddingRunnerOptions {
  std::int32_t dimensions = 4;
  std::int32_t vocab_size = 256;
  std::int32_t context_tokens_max = 64;
  // Called with each batch before it runs, on the embedder's loop; an error becomes embed()'s.
  std::function<absl::Status(std::span<const std::vector<std::int32_t>>)> on_batch;
};

// Element d is the tokens' sum plus d, so that a vector given to the wrong input shows.
std::unique_ptr<EmbeddingRunner> make_fake_embedding_runner(
    const FakeEmbeddingRunnerOptions& options);

}  // namespace plinth::engine
