#include "train/whole_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "model/gguf_copy.h"

namespace plinth::train {

namespace {

// "layers.3.q.bias" as GGUF has it: "blk.3.attn_q.bias".
std::string gguf_name(std::string name) {
  static const std::map<std::string, std::string> kParts = {
      {"embedding", "token_embd"},
      {"positions", "position_embd"},
      {"final_norm", "output_norm"},
      {"head", "output"},
      {"attention_norm", "attn_norm"},
      {"attention_post_norm", "post_attention_norm"},
      {"ffn_norm", "ffn_norm"},
      {"ffn_post_norm", "post_ffw_norm"},
      {"q", "attn_q"},
      {"k", "attn_k"},
      {"v", "attn_v"},
      {"o", "attn_output"},
      {"q_norm", "attn_q_norm"},
      {"k_norm", "attn_k_norm"},
      {"gate", "ffn_gate"},
      {"up", "ffn_up"},
      {"down", "ffn_down"}};
  constexpr std::string_view kLayers = "layers.", kBias = ".bias";
  std::string prefix, kind = ".weight";
  if (name.size() > kBias.size() &&
      name.compare(name.size() - kBias.size(), kBias.size(), kBias) == 0) {
    name.resize(name.size() - kBias.size());
    kind = kBias;
  }
  if (name.compare(0, kLayers.size(), kLayers) == 0) {
    const auto end = name.find('.', kLayers.size());
    prefix = fmt::format("blk.{}.", name.substr(kLayers.size(), end - kLayers.size()));
    name.erase(0, end + 1);
  }
  return prefix + kParts.at(name) + kind;
}

}  // namespace

absl::Status write_whole_gguf(const Parameters<float>& parameters, const std::string& base_path,
                              tensor::DType dtype, const std::string& to) {
  model::GgufCopy copy{base_path, to, {}, dtype};
  for (const auto& parameter : parameters.all()) {
    copy.changes[gguf_name(parameter.name)] = [&parameter](std::int64_t row, float* numbers) {
      std::copy_n(parameter.value.data() + row * parameter.columns, parameter.columns, numbers);
    };
  }
  const auto status = model::copy_gguf(copy);
  if (!absl::IsNotFound(status)) return status;
  return base::unimplemented(fmt::format("[train] {} keeps a matrix in another form: {}", base_path,
                                         base::message(status)));
}

}  // namespace plinth::train
