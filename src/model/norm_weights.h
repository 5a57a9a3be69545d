// The weights of one norm, of encoders and decoders.
#pragma once

#include <vector>

namespace plinth::model {

struct NormWeights {
  std::vector<float> weight;  // [width]
  std::vector<float> bias;    // [width]; empty where the norm has none (RMS)
};

}  // namespace plinth::model
