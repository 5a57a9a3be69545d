#include "apps/bench_adapters.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/file.h"
#include "base/random.h"
#include "model/adapter_file.h"
#include "model/safetensors_writer.h"

namespace plinth {

namespace {

// Small, so that activations keep their size.
constexpr double kScale = 0.02;

absl::StatusOr<protocol::AdapterRef> write_one(const model::DecoderSpec& spec, int index, int rank,
                                               const std::string& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  const std::int64_t d = spec.width, ff = spec.ff_width, e = spec.head_width;
  const std::int64_t q = spec.heads * e, kv = spec.kv_heads * e;
  const std::tuple<const char*, std::int64_t, std::int64_t> modules[] = {
      {"self_attn.q_proj", q, d}, {"self_attn.k_proj", kv, d}, {"self_attn.v_proj", kv, d},
      {"self_attn.o_proj", d, q}, {"mlp.gate_proj", ff, d},    {"mlp.up_proj", ff, d},
      {"mlp.down_proj", d, ff}};
  // One matrix's worth of numbers serves all of them: their values do not matter here.
  std::vector<float> numbers(static_cast<std::size_t>(std::max({d, ff, q}) * rank));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] =
        static_cast<float>(kScale * (base::uniform_at(static_cast<std::uint64_t>(index), i) - 0.5));
  }
  std::vector<model::NamedMatrix> matrices;
  for (int layer = 0; layer < spec.layers; ++layer) {
    for (const auto& [module, outputs, inputs] : modules) {
      const auto stem = fmt::format("base_model.model.model.layers.{}.{}", layer, module);
      matrices.push_back({stem + ".lora_A.weight", rank, inputs, numbers.data()});
      matrices.push_back({stem + ".lora_B.weight", outputs, rank, numbers.data()});
    }
  }
  RETURN_IF_ERROR(model::write_safetensors(folder + "/adapter_model.safetensors", matrices));
  RETURN_IF_ERROR(base::write_file_atomic(
      folder + "/adapter_config.json",
      fmt::format("{{\"peft_type\": \"LORA\", \"r\": {}, \"lora_alpha\": {}, \"target_modules\": "
                  "[\"q_proj\", \"k_proj\", \"v_proj\", \"o_proj\", \"gate_proj\", \"up_proj\", "
                  "\"down_proj\"]}}",
                  rank, rank)));
  const auto paths = model::adapter_paths(folder);
  return protocol::AdapterRef{fmt::format("random-{}", index), paths.tensors, paths.config};
}

}  // namespace

absl::StatusOr<std::vector<protocol::AdapterRef>> write_random_adapters(
    const model::DecoderSpec& spec, int count, int rank, const std::string& folder) {
  if (spec.experts.count > 0 || !spec.gated) {
    return base::unimplemented("[bench] adapters of such a model's blocks are not supported");
  }
  std::vector<protocol::AdapterRef> adapters;
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(auto one, write_one(spec, i, rank, fmt::format("{}/{}", folder, i)));
    adapters.push_back(std::move(one));
  }
  return adapters;
}

}  // namespace plinth
