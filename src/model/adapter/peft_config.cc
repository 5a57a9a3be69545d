#include "model/adapter/peft_config.h"

#include <fmt/format.h>

#include <cmath>

#include "model/hf/hf_fields.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

// null, false, {} and [] say the same: that there is nothing.
bool says_nothing(const base::json::value* value) {
  if (value == nullptr || value->is_null()) return true;
  if (value->is_bool()) return !value->as_bool();
  if (value->is_object()) return value->as_object().empty();
  return value->is_array() && value->as_array().empty();
}

// Options of PEFT that would change what is computed.
constexpr std::pair<const char*, const char*> kRefused[] = {
    {"use_dora", "DoRA"},
    {"fan_in_fan_out", "transposed matrices"},
    {"modules_to_save", "whole modules beside the adapter"},
    {"trainable_token_indices", "tokens that learn beside the adapter"},
    {"rank_pattern", "ranks by pattern"},
    {"alpha_pattern", "alphas by pattern"},
    {"lora_bias", "biases beside the adapter"},
    {"layer_replication", "layers that are repeated"},
    {"target_parameters", "parameters as targets"},
    {"alora_invocation_tokens", "adapters that begin at a token"},
    {"use_qalora", "QALoRA"},
    {"megatron_config", "Megatron's layers"},
    {"arrow_config", "several adapters at once"},
};

absl::Status check_plain(const base::json::object& config, const HfFields& fields) {
  ASSIGN_OR_RETURN(const auto type, fields.text_or("peft_type", "LORA"));
  if (type != "LORA") {
    return base::unimplemented(
        fmt::format("{}: peft_type is {}; LORA is supported", kPeftConfigName, type));
  }
  for (const auto& [name, what] : kRefused) {
    if (says_nothing(config.if_contains(name))) continue;
    return base::unimplemented(
        fmt::format("{}: {} is set: {} are not supported", kPeftConfigName, name, what));
  }
  ASSIGN_OR_RETURN(const auto bias, fields.text_or("bias", "none"));
  if (bias == "none") return absl::OkStatus();
  return base::unimplemented(
      fmt::format("{}: bias is {}; none is supported", kPeftConfigName, bias));
}

absl::Status read_targets(const base::json::object& config, const HfFields& fields,
                          std::vector<std::string>& targets) {
  const auto* value = config.if_contains("target_modules");
  if (value == nullptr || value->is_null()) return fields.wrong("target_modules", "a list");
  if (value->is_string()) {
    return base::unimplemented(
        fmt::format("{}: target_modules is the expression \"{}\"; a list is supported",
                    kPeftConfigName, std::string_view(value->as_string())));
  }
  if (!value->is_array() || value->as_array().size() > kAdapterTargetsMax) {
    return fields.wrong("target_modules", "a list of names");
  }
  for (const auto& target : value->as_array()) {
    if (!target.is_string()) return fields.wrong("target_modules", "a list of names");
    targets.emplace_back(target.as_string());
  }
  return absl::OkStatus();
}

}  // namespace

double PeftConfig::factor() const { return alpha / (by_root ? std::sqrt(rank) : rank); }

absl::StatusOr<PeftConfig> parse_peft_config(const base::json::object& config) {
  const HfFields fields(config, std::string(kPeftConfigName) + ": ");
  RETURN_IF_ERROR(check_plain(config, fields));
  PeftConfig parsed;
  ASSIGN_OR_RETURN(parsed.rank, fields.count("r", kAdapterRankMax));
  ASSIGN_OR_RETURN(parsed.alpha, fields.number_or("lora_alpha", 0, kAdapterAlphaMax, 8));
  ASSIGN_OR_RETURN(parsed.by_root, fields.flag_or("use_rslora", false));
  ASSIGN_OR_RETURN(parsed.base_name, fields.text_or("base_model_name_or_path", ""));
  RETURN_IF_ERROR(read_targets(config, fields, parsed.targets));
  return parsed;
}

}  // namespace plinth::model
