// For tests: adapters of random numbers as PEFT folders, and what merging one makes of a model.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/adapter_file.h"
#include "model/model_file.h"
#include "model/safetensors_writer.h"
#include "protocol/generate.h"

namespace plinth::engine {

inline model::AdapterPaths write_random_adapter(const std::string& name,
                                                const model::DecoderSpec& spec, int rank,
                                                unsigned seed) {
  const auto folder = testing::TempDir() + "/adapter_" + name;
  EXPECT_TRUE(base::make_folders(folder).ok());
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.3f);
  std::deque<std::vector<float>> numbers;
  std::vector<model::NamedMatrix> matrices;
  const auto add = [&](const std::string& tensor, std::int64_t rows, std::int64_t columns) {
    auto& values = numbers.emplace_back(static_cast<std::size_t>(rows * columns));
    for (float& value : values) value = normal(random);
    matrices.push_back({tensor, rows, columns, values.data()});
  };
  const std::int64_t d = spec.width, ff = spec.ff_width, e = spec.head_width;
  const std::int64_t q = spec.heads * e, kv = spec.kv_heads * e;
  const std::tuple<const char*, std::int64_t, std::int64_t> modules[] = {
      {"self_attn.q_proj", q, d}, {"self_attn.k_proj", kv, d}, {"self_attn.v_proj", kv, d},
      {"self_attn.o_proj", d, q}, {"mlp.gate_proj", ff, d},    {"mlp.up_proj", ff, d},
      {"mlp.down_proj", d, ff}};
  for (int layer = 0; layer < spec.layers; ++layer) {
    for (const auto& [module, outputs, inputs] : modules) {
      // Some have none, and no layer has the same as another.
      if (random() % 5 == 0) continue;
      const auto stem = "base_model.model.model.layers." + std::to_string(layer) + "." + module;
      add(stem + ".lora_A.weight", rank, inputs);
      add(stem + ".lora_B.weight", outputs, rank);
    }
  }
  EXPECT_TRUE(model::write_safetensors(folder + "/adapter_model.safetensors", matrices).ok());
  const auto config = "{\"peft_type\": \"LORA\", \"r\": " + std::to_string(rank) +
                      ", \"lora_alpha\": 4, \"target_modules\": [\"q_proj\", \"k_proj\", "
                      "\"v_proj\", \"o_proj\", \"gate_proj\", \"up_proj\", \"down_proj\"]}";
  EXPECT_TRUE(base::write_file_atomic(folder + "/adapter_config.json", config).ok());
  return model::adapter_paths(folder);
}

inline protocol::AdapterRef adapter_ref(const std::string& id, const model::AdapterPaths& paths) {
  return {id, paths.tensors, paths.config};
}

// W + B A in fp32, in the place of each matrix that is adapted.
inline void merge(const model::AdapterFile& adapter, model::ModelFile& file) {
  for (const auto& part : adapter.parts) {
    auto& layer = file.weights.layers[static_cast<std::size_t>(part.layer)];
    tensor::MatrixView* views[] = {&layer.q,    &layer.k,  &layer.v,   &layer.o,
                                   &layer.gate, &layer.up, &layer.down};
    auto& view = *views[static_cast<int>(part.matrix)];
    auto& merged =
        file.weights.reordered.emplace_back(static_cast<std::size_t>(view.rows * view.columns));
    for (std::int64_t row = 0; row < view.rows; ++row) {
      float* out = merged.data() + row * view.columns;
      tensor::dequantize_row(
          view.dtype,
          view.data + row * static_cast<std::int64_t>(tensor::row_bytes(view.dtype, view.columns)),
          out, view.columns);
      for (int r = 0; r < part.rank; ++r) {
        const float b = part.b[static_cast<std::size_t>(row * part.rank + r)];
        for (std::int64_t c = 0; c < view.columns; ++c) {
          out[c] += b * part.a[static_cast<std::size_t>(r * view.columns + c)];
        }
      }
    }
    view = {reinterpret_cast<const std::uint8_t*>(merged.data()), tensor::DType::f32, view.rows,
            view.columns};
  }
}

}  // namespace plinth::engine
