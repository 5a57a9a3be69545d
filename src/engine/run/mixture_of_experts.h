// A mixture of experts in the place of the feed-forward block: each token takes the `used` most
// probable of the router's softmax. Shazeer et al., "Outrageously large neural networks", 2017.
#pragma once

#include <vector>

#include "engine/run/feed_forward.h"

namespace plinth::engine {

struct ChosenExpert {
  int index;
  float weight;
};

// One token's experts by index. Ties go to the lower index. logits: [experts]. Overwrites `chosen`.
void choose_experts(const model::ExpertSpec& spec, const float* logits,
                    std::vector<ChosenExpert>& chosen);

// Keeps its scratch between calls. Not thread-safe.
class MixtureOfExperts {
 public:
  explicit MixtureOfExperts(const RunContext& context)
      : context_(context), feed_forward_(context) {}
  // x, y: [m, width], apart; make_row makes a row of x as PackedLinear::prepare_made says. Each
  // expert runs once, over the tokens that chose it; a token adds its
  // experts up in the order of their indices, so its bits do not depend on the batch.
  void run(const PackedLayer& layer, const float* x, tensor::Rows rows, float* y,
           absl::FunctionRef<void(int row)> make_row);

 private:
  struct Choice {
    int token;
    float weight;
  };
  const RunContext context_;
  FeedForward feed_forward_;
  tensor::Activations activations_;
  std::vector<float> logits_, rows_;
  std::vector<ChosenExpert> chosen_;
  std::vector<std::vector<Choice>> by_expert_;
};

}  // namespace plinth::engine
