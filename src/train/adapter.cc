#include "train/adapter.h"

#include <fmt/format.h>

#include <cmath>
#include <deque>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "model/adapter_merge.h"
#include "model/gguf_copy.h"
#include "model/head_rows.h"
#include "model/safetensors_writer.h"

namespace plinth::train {

namespace {

constexpr std::string_view kFirst = ".lora_a", kSecond = ".lora_b";

// "layers.3.q": W + factor * B A.
struct Part {
  std::string matrix;
  const Parameter<float>* a = nullptr;  // [rank, inputs]
  const Parameter<float>* b = nullptr;  // [outputs, rank]
};

std::vector<Part> parts_of(const Parameters<float>& parameters) {
  std::vector<Part> parts;
  for (const auto& parameter : parameters.all()) {
    const std::string_view name = parameter.name;
    if (name.ends_with(kFirst)) {
      parts.push_back(
          {std::string(name.substr(0, name.size() - kFirst.size())), &parameter, nullptr});
    } else if (name.ends_with(kSecond)) {
      parts.back().b = &parameter;  // it follows the first
    }
  }
  return parts;
}

// "layers.3.q" in its two parts.
std::pair<std::string, std::string> split(const std::string& matrix) {
  const auto begin = matrix.find('.') + 1, end = matrix.rfind('.');
  return {matrix.substr(begin, end - begin), matrix.substr(end + 1)};
}

std::string peft_name(const std::string& matrix) {
  static const std::map<std::string, std::string> kNames = {
      {"q", "self_attn.q_proj"}, {"k", "self_attn.k_proj"}, {"v", "self_attn.v_proj"},
      {"o", "self_attn.o_proj"}, {"gate", "mlp.gate_proj"}, {"up", "mlp.up_proj"},
      {"down", "mlp.down_proj"}};
  const auto [layer, part] = split(matrix);
  return fmt::format("base_model.model.model.layers.{}.{}", layer, kNames.at(part));
}

// Rows of q and k in Hugging Face's order.
std::vector<float> in_peft_order(const Part& part, const model::DecoderSpec& spec) {
  const auto& b = *part.b;
  std::vector<float> out(b.value.begin(), b.value.end());
  const auto name = split(part.matrix).second;
  if ((name != "q" && name != "k") || spec.rope.half_split || spec.rope.dimensions == 0) return out;
  for (std::int64_t r = 0; r < b.rows; ++r) {
    std::copy_n(b.value.data() + r * b.columns, b.columns,
                out.data() + model::row_among_halves(spec, r) * b.columns);
  }
  return out;
}

}  // namespace

model::AdapterFile trained_adapter(const Parameters<float>& parameters, const LoraOptions& lora) {
  model::AdapterFile adapter;
  const auto factor = static_cast<float>(lora.factor());
  for (const auto& trained : parts_of(parameters)) {
    const auto [layer, name] = split(trained.matrix);
    auto& part = adapter.parts.emplace_back();
    part.layer = std::stoi(layer);
    while (model::adapted_matrix_name(part.matrix) != name)
      part.matrix = static_cast<model::AdaptedMatrix>(static_cast<int>(part.matrix) + 1);
    part.rank = static_cast<std::int32_t>(trained.a->rows);
    part.inputs = trained.a->columns;
    part.outputs = trained.b->rows;
    part.a.assign(trained.a->value.begin(), trained.a->value.end());
    part.b.assign(trained.b->value.begin(), trained.b->value.end());
    for (auto& number : part.b) number *= factor;
  }
  return adapter;
}

absl::Status write_merged_gguf(const Parameters<float>& parameters, const LoraOptions& lora,
                               const std::string& base_path, tensor::DType dtype,
                               const std::string& to) {
  model::GgufCopy copy{base_path, to, {}, dtype};
  const auto adapter = trained_adapter(parameters, lora);
  model::add_adapter(adapter, copy);
  const auto status = model::copy_gguf(copy);
  if (!absl::IsNotFound(status)) return status;
  return base::unimplemented(fmt::format("[train] {} keeps an adapted matrix in another form: {}",
                                         base_path, base::message(status)));
}

absl::Status write_peft_adapter(const Decoder<float>& decoder, const LoraOptions& lora,
                                const std::string& base_name, const std::string& folder,
                                const base::Storage& storage) {
  RETURN_IF_ERROR(base::make_folders(folder));
  std::vector<model::NamedMatrix> matrices;
  std::deque<std::vector<float>> ordered;
  std::set<std::string> targets;
  for (const auto& part : parts_of(decoder.parameters())) {
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
  RETURN_IF_ERROR(
      model::write_safetensors(folder + "/adapter_model.safetensors", matrices, storage));
  return base::write_file_atomic(folder + "/adapter_config.json", base::to_json(config) + "\n");
}

}  // namespace plinth::train
