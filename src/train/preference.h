// Losses of a pair of answers of which one is preferred.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace plinth::train {

enum class Method : std::uint8_t {
  sft,   // the mean over learnt tokens: no pairs
  dpo,   // Rafailov et al., "Direct preference optimization", 2023
  ipo,   // Azar et al., "A general theoretical paradigm ...", 2023
  orpo,  // Hong et al., "ORPO: monolithic preference optimization without reference model", 2024
};

std::string_view method_name(Method method);
std::optional<Method> method_named(std::string_view name);
inline bool prefers(Method method) { return method != Method::sft; }
// Whether its loss is beside that of the model as it began.
inline bool has_reference(Method method) { return method == Method::dpo || method == Method::ipo; }

struct PreferenceOptions {
  double beta = 0.1;           // > 0; of ORPO: what the odds count beside the answer's own loss
  double label_smoothing = 0;  // of DPO: how often a preference is the wrong way around, 0 to 0.5
};

// What a model makes of one answer.
struct AnswerScore {
  double log_prob = 0;   // of all its tokens, nats
  double reference = 0;  // the same by the model as it began
  std::int64_t tokens = 0;
};

struct PairLoss {
  double loss = 0;
  double preferred_slope = 0, other_slope = 0;  // of the loss, by each answer's log_prob
  double margin = 0;  // of the rewards, beta times what of log_prob is above the reference
};

// ORPO's log-probabilities, and its margin, are the mean over an answer's tokens.
PairLoss pair_loss(Method method, const PreferenceOptions& options, const AnswerScore& preferred,
                   const AnswerScore& other);

}  // namespace plinth::train
