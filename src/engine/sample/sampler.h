// From logits to a token. The draw depends on (seed, position, choice) alone.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "protocol/generate.h"

namespace plinth::engine {

// How often each token occurs in the prompt and in the output, for the penalties.
struct TokenCounts {
  std::unordered_map<std::int32_t, std::int32_t> prompt, output;
};

class Sampler {
 public:
  explicit Sampler(const protocol::SamplingParams& params) : params_(params) {}
  // logits: [vocab]. The order of operations: repetition, presence and frequency penalties, logit
  // bias; greedy at temperature 0; else temperature, top_k, typical_p, top_p, min_p, and one draw
  // with `uniform` in [0, 1).
  std::int32_t sample(std::span<const float> logits, const TokenCounts& counts, double uniform);

 private:
  struct Candidate {
    std::int32_t token;
    float logit;
    double probability;
  };
  void adjust(const TokenCounts& counts);
  void collect();
  void keep_typical();

  const protocol::SamplingParams params_;
  std::vector<float> adjusted_;
  std::vector<Candidate> candidates_;
};

// Natural-log probabilities of the unmodified distribution: the chosen token's and the `top` best,
// descending. `bytes` of the tokens are left empty.
protocol::PositionLogprobs position_logprobs(std::span<const float> logits, std::int32_t chosen,
                                             std::int32_t top);

}  // namespace plinth::engine
