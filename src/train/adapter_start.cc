#include "train/adapter_start.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace plinth::train {

LoraOptions lora_of(const model::AdapterFile& adapter) {
  LoraOptions lora;
  lora.targets.clear();
  for (int i = 0; i < model::kAdaptedMatrices; ++i) {
    const auto matrix = static_cast<model::AdaptedMatrix>(i);
    const bool there = std::any_of(adapter.parts.begin(), adapter.parts.end(),
                                   [&](const auto& part) { return part.matrix == matrix; });
    if (there) lora.targets.emplace_back(model::adapted_matrix_name(matrix));
  }
  for (const auto& part : adapter.parts) lora.rank = std::max<std::int64_t>(lora.rank, part.rank);
  lora.alpha = 2 * static_cast<double>(lora.rank);
  return lora;
}

absl::Status begin_with(const model::AdapterFile& adapter, const LoraOptions& lora,
                        Parameters<float>& parameters) {
  const auto factor = static_cast<float>(lora.factor());
  for (const auto& part : adapter.parts) {
    const auto name =
        fmt::format("layers.{}.{}", part.layer, model::adapted_matrix_name(part.matrix));
    auto* a = parameters.find(name + ".lora_a");
    auto* b = parameters.find(name + ".lora_b");
    if (a == nullptr || b == nullptr || a->rows < part.rank) {
      return base::invalid_argument(
          fmt::format("[train] {} has no room for a part of rank {} that the run begins with", name,
                      part.rank));
    }
    CHECK(a->columns == part.inputs && b->rows == part.outputs);
    std::copy(part.a.begin(), part.a.end(), a->value.begin());
    for (std::int64_t row = 0; row < part.outputs; ++row)
      for (std::int64_t r = 0; r < part.rank; ++r)
        b->value[static_cast<std::size_t>(row * b->columns + r)] =
            part.b[static_cast<std::size_t>(row * part.rank + r)] / factor;
  }
  return absl::OkStatus();
}

}  // namespace plinth::train
