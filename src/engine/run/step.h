// The tokens of one forward(), flattened, and what every half of a layer is given.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "engine/runner.h"
#include "model/decoder_spec.h"
#include "tensor/linear.h"
#include "tensor/ops.h"

namespace plinth::engine {

struct StepToken {
  std::int32_t position;
  const BatchEntry* entry;
};

struct Step {
  std::vector<StepToken> tokens;
  std::vector<std::int32_t> ids;
  std::int32_t positions = 0;  // every token is before it
  int prompts_from = 0;        // tokens from here on are of prompts computed in bulk
  tensor::Rows rows() const { return {size(), prompts_from}; }
  int size() const { return static_cast<int>(tokens.size()); }
  void clear() {
    tokens.clear();
    ids.clear();
    positions = 0;
    prompts_from = 0;
  }
};

class AdaptedRows;

struct RunContext {
  const model::DecoderSpec& spec;
  const tensor::Ops& ops;
  base::ThreadPool& pool;
  AdaptedRows* adapted = nullptr;  // of the step, where the model takes adapters
};

}  // namespace plinth::engine
