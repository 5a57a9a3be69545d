#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/adapter/adapter_builder.h"
#include "model/adapter/adapter_formats.h"
#include "model/adapter/peft_config.h"

namespace plinth::model {

namespace {

constexpr std::pair<std::string_view, AdaptedMatrix> kModules[] = {
    {"self_attn.q_proj", AdaptedMatrix::q}, {"self_attn.k_proj", AdaptedMatrix::k},
    {"self_attn.v_proj", AdaptedMatrix::v}, {"self_attn.o_proj", AdaptedMatrix::o},
    {"mlp.gate_proj", AdaptedMatrix::gate}, {"mlp.up_proj", AdaptedMatrix::up},
    {"mlp.down_proj", AdaptedMatrix::down},
};

struct PeftName {
  std::int64_t layer = 0;
  AdaptedMatrix matrix = AdaptedMatrix::q;
  bool is_b = false;
  std::string module;  // "q_proj"
};

bool take_front(std::string_view& text, std::string_view front) {
  if (!text.starts_with(front)) return false;
  text.remove_prefix(front.size());
  return true;
}

// "base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight"
std::optional<PeftName> parse_name(std::string_view name) {
  if (!take_front(name, "base_model.model.")) return std::nullopt;
  if (!take_front(name, "model.language_model.") && !take_front(name, "language_model.model.")) {
    take_front(name, "model.");
  }
  if (!take_front(name, "layers.")) return std::nullopt;
  PeftName parsed;
  const auto end = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  if (end.ec != std::errc()) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end.ptr - name.data()));
  if (!take_front(name, ".")) return std::nullopt;
  for (const auto& [module, matrix] : kModules) {
    if (!name.starts_with(module)) continue;
    name.remove_prefix(module.size());
    parsed.matrix = matrix;
    parsed.module = module.substr(module.find('.') + 1);
    parsed.is_b = name == ".lora_B.weight";
    if (!parsed.is_b && name != ".lora_A.weight") return std::nullopt;
    return parsed;
  }
  return std::nullopt;
}

// A target may be a module's name or the end of its path.
bool is_target(const PeftConfig& config, const PeftName& name) {
  return std::any_of(config.targets.begin(), config.targets.end(), [&](const auto& target) {
    return target == "all-linear" || target == name.module || target.ends_with("." + name.module);
  });
}

}  // namespace

absl::StatusOr<AdapterFile> read_peft_adapter(const base::json::object& config,
                                              const SafetensorsTable& tensors,
                                              const DecoderSpec& base) {
  ASSIGN_OR_RETURN(const auto peft, parse_peft_config(config));
  AdapterBuilder builder(base, false);
  for (const auto& [name, tensor] : tensors) {
    const auto parsed = parse_name(name);
    if (!parsed) {
      return base::unimplemented(
          fmt::format("[adapter] tensor {} is of no matrix that can be adapted: q_proj, k_proj, "
                      "v_proj, o_proj, gate_proj, up_proj and down_proj of a layer",
                      name));
    }
    if (!is_target(peft, *parsed)) {
      return base::invalid_argument(
          fmt::format("[adapter] tensor {}: {} is not among target_modules", name, parsed->module));
    }
    if (!tensor.dtype) {
      return base::unimplemented(fmt::format(
          "[adapter] tensor {} has type {}; F32, F16 and BF16 are supported", name, tensor.type));
    }
    RETURN_IF_ERROR(builder.add(name, parsed->layer, parsed->matrix, parsed->is_b,
                                {*tensor.dtype, tensor.shape, tensor.data, tensor.offset}));
  }
  const auto factor_of = [&](std::int32_t rank) -> absl::StatusOr<double> {
    if (rank == peft.rank) return peft.factor();
    return base::invalid_argument(fmt::format("[adapter] a matrix has rank {}, and {} says r {}",
                                              rank, kPeftConfigName, peft.rank));
  };
  ASSIGN_OR_RETURN(auto file, builder.finish(factor_of));
  file.base_name = peft.base_name;
  return file;
}

}  // namespace plinth::model
