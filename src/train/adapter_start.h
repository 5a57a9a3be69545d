// A run that begins with an adapter that there is already.
#pragma once

#include "base/status.h"
#include "model/adapter_file.h"
#include "train/decoder.h"

namespace plinth::train {

// What it would have to be, at least, to hold `adapter`: its rank and the matrices that it adapts.
LoraOptions lora_of(const model::AdapterFile& adapter);

// Before the first step, `decoder` computes what its base does with `adapter`, which was read for
// that base: where the decoder's rank is higher, the numbers beyond learn from zero on.
// InvalidArgument names a matrix of the decoder that has no adapter, or one of lower rank.
absl::Status begin_with(const model::AdapterFile& adapter, const LoraOptions& lora,
                        Parameters<float>& parameters);

}  // namespace plinth::train
