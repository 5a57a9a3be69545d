// From logits to a token. The draw depends on (seed, position, choice) alone.
//
// The order of operations:
//   1. repetition penalty over prompt and output, then presence and frequency penalties over the
//      output, then logit bias, where -100 bans;
//   2. at temperature 0 (below 1e-5) the best token, the lowest of equals; above it the softmax at
//      the temperature;
//   3. top_k, typical_p, top_p, min_p, each on what the one before left, renormalised;
//   4. one draw: the first token, in the order of their ids, at which the cumulative probability
//      passes `uniform`.
// Every filter keeps at least one token. Equal values are ordered by token id, so that no outcome
// depends on a sort.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "protocol/generate.h"

namespace plinth::engine {

// A logit_bias of this or less bans the token.
inline constexpr float kBanBias = -100.0f;

// How often each token occurs in the prompt and in the output, for the penalties.
struct TokenCounts {
  std::unordered_map<std::int32_t, std::int32_t> prompt, output;
};

// Whether a draw reads the counts.
bool penalises_repetition(const protocol::SamplingParams& params);

// Holds buffers and no state: one serves every sequence of a loop. Its cost is a few passes over
// the vocabulary; nothing sorts more of it than the filters keep.
class Sampler {
 public:
  // logits: [vocab], finite; uniform in [0, 1). logit_bias names tokens of the vocabulary and does
  // not ban them all.
  std::int32_t sample(const protocol::SamplingParams& params, std::span<const float> logits,
                      const TokenCounts& counts, double uniform);

 private:
  struct Candidate {
    std::int32_t token;
    float logit;         // adjusted
    double probability;  // of a sum that total() gives
    double distance;     // from the entropy, for typical_p
  };

  void adjust(const protocol::SamplingParams& params, std::span<const float> logits,
              const TokenCounts& counts);
  void collect(double sum);
  double total() const;
  void keep_top_k(std::int32_t k);
  void keep_typical(double mass);
  void keep_top_p(double mass);
  void keep_min_p(double least);
  // Keeps the smallest set of candidates, first by `before`, whose share is at least `mass`.
  // `scratch_` holds those that can belong to it.
  template <typename Before>
  void keep_mass(double mass, const Before& before);

  std::vector<float> adjusted_, weights_;  // [vocab]
  std::vector<Candidate> candidates_;      // by token
  std::vector<Candidate> scratch_;
};

}  // namespace plinth::engine
