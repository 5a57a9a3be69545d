// An adapter's matrices as the kernels read them, by what they read: q, k and v share their input,
// as gate and up do, and are stacked as the layer's own.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "model/adapter_file.h"
#include "tensor/low_rank.h"

namespace plinth::engine {

// Of a layer: what q, k and v read, what o does, gate and up, and down.
enum class AdaptedInput { attention, attended, feed_forward, inner };
inline constexpr std::size_t kAdaptedInputs = 4;

// Immutable.
struct PackedAdapter {
  using Layer = std::array<std::optional<tensor::PackedLowRank>, kAdaptedInputs>;
  std::vector<Layer> layers;
  std::size_t bytes = 0;
};

std::shared_ptr<const PackedAdapter> pack_adapter(const model::AdapterFile& file,
                                                  const model::DecoderSpec& spec);

}  // namespace plinth::engine
