#include "train/adapter.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "model/gguf_copy.h"
#include "model/safetensors_writer.h"

namespace plinth::train {

namespace {

constexpr std::string_view kFirst = ".lora_a", kSecond = ".lora_b";

// "layers.3.q" in its two parts.
std::pair<std::string, std::string> split(const std::string& matrix) {
  const auto begin = matrix.find('.') + 1, end = matrix.rfind('.');
  return {matrix.substr(begin, end - begin), matrix.substr(end + 1)};
}

std::string gguf_name(const std::string& matrix) {
  static const std::map<std::string, std::string> kNames = {
      {"q", "attn_q"},      {"k", "attn_k"},  {"v", "attn_v"},     {"o", "attn_output"},
      {"gate", "ffn_gate"}, {"up", "ffn_up"}, {"down", "ffn_down"}};
  const auto [layer, part] = split(matrix);
  return fmt::format("blk.{}.{}.weight", layer, kNames.at(part));
}

std::string peft_name(const std::string& matrix) {
  static const std::map<std::string, std::string> kNames = {
      {"q", "self_attn.q_proj"}, {"k", "self_attn.k_proj"}, {"v", "self_attn.v_proj"},
      {"o", "self_attn.o_proj"}, {"gate", "mlp.gate_proj"}, {"up", "mlp.up_proj"},
      {"down", "mlp.down_proj"}};
  const auto [layer, part] = split(matrix);
  return fmt::format("base_model.model.model.layers.{}.{}", layer, kNames.at(part));
}

// Rows of q and k in Hugging Face's order: where pairs of rope lie side by side, 2i and 2i + 1 are
// its i and i + half.
std::vector<float> in_peft_order(const AdapterPart& part, const model::DecoderSpec& spec) {
  const auto& b = *part.b;
  std::vector<float> out(b.value.begin(), b.value.end());
  const auto name = split(part.matrix).second;
  if ((name != "q" && name != "k") || spec.rope.half_split || spec.rope.dimensions == 0) return out;
  const std::int64_t half = spec.rope.dimensions / 2;
  for (std::int64_t r = 0; r < b.rows; ++r) {
    const auto in_head = r % spec.head_width;
    if (in_head >= 2 * half) continue;
    const auto to = r - in_head + in_head / 2 + (in_head % 2) * half;
    std::copy_n(b.value.data() + r * b.columns, b.columns, out.data() + to * b.columns);
  }
  return out;
}

}  // namespace

std::vector<AdapterPart> adapter_parts(const Parameters<float>& parameters) {
  std::vector<AdapterPart> parts;
  for (const auto& parameter : parameters.all()) {
    const auto& name = parameter.name;
    const auto stem = name.size() < kFirst.size() ? 0 : name.size() - kFirst.size();
    if (name.compare(stem, kFirst.size(), kFirst) == 0) {
      parts.push_back({name.substr(0, stem), &parameter, nullptr});
    } else if (name.compare(stem, kSecond.size(), kSecond) == 0) {
      parts.back().b = &parameter;  // it follows the first
    }
  }
  return parts;
}

absl::Status write_merged_gguf(const Parameters<float>& parameters, const LoraOptions& lora,
                               const std::string& base_path, tensor::DType dtype,
                               const std::string& to) {
  model::GgufCopy copy{base_path, to, {}, dtype};
  const auto factor = static_cast<float>(lora.factor());
  for (const auto& part : adapter_parts(parameters)) {
    copy.changes[gguf_name(part.matrix)] = [part, factor](std::int64_t row, float* numbers) {
      const auto rank = part.a->rows, columns = part.a->columns;
      for (std::int64_t r = 0; r < rank; ++r) {
        const float scale = factor * part.b->value[static_cast<std::size_t>(row * rank + r)];
        const float* a = part.a->value.data() + r * columns;
        for (std::int64_t c = 0; c < columns; ++c) numbers[c] += scale * a[c];
      }
    };
  }
  const auto status = model::copy_gguf(copy);
  if (!absl::IsNotFound(status)) return status;
  return base::unimplemented(fmt::format("[train] {} keeps an adapted matrix in another form: {}",
                                         base_path, base::message(status)));
}

absl::Status write_peft_adapter(const Decoder<float>& decoder, const LoraOptions& lora,
                                const std::string& base_name, const std::string& folder) {
  RETURN_IF_ERROR(base::make_folders(folder));
  std::vector<model::NamedMatrix> matrices;
  std::deque<std::vector<float>> ordered;
  std::set<std::string> targets;
  for (const auto& part : adapter_parts(decoder.parameters())) {
    const auto name = peft_name(part.matrix);
    targets.insert(name.substr(name.rfind('.') + 1));
    matrices.push_back(
        {name + ".lora_A.weight", part.a->rows, part.a->columns, part.a->value.data()});
    const auto& b = ordered.emplace_back(in_peft_order(part, decoder.spec()));
    matrices.push_back({name + ".lora_B.weight", part.b->rows, part.b->columns, b.data()});
  }
  base::json::object config{{"peft_type", "LORA"},
                            {"task_type", "CAUSAL_LM"},
                            {"base_model_name_or_path", base_name},
                            {"r", lora.rank},
                            {"lora_alpha", lora.alpha},
                            {"use_rslora", lora.by_root},
                            {"lora_dropout", 0.0},
                            {"bias", "none"},
                            {"fan_in_fan_out", false},
                            {"inference_mode", true},
                            {"target_modules", base::json::array(targets.begin(), targets.end())}};
  RETURN_IF_ERROR(model::write_safetensors(folder + "/adapter_model.safetensors", matrices));
  return base::write_file_atomic(folder + "/adapter_config.json", base::to_json(config) + "\n");
}

}  // namespace plinth::train
