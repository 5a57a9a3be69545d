// The weights of a model as training left them, where files of models are written from.
#pragma once

#include <deque>
#include <vector>

#include "model/decoder_spec.h"
#include "train/decoder.h"

namespace plinth::train {

struct TrainedWeights {
  model::DecoderWeights weights;
  std::deque<std::vector<float>> merged;  // matrices W + factor * B A, in fp32
};

// `base` with what `parameters` has instead: whole weights, or adapters added to theirs. Refers to
// both, which outlive it.
TrainedWeights trained_weights(const Parameters<float>& parameters, const LoraOptions& lora,
                               const model::DecoderWeights& base);

}  // namespace plinth::train
