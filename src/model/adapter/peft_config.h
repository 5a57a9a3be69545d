// adapter_config.json of Hugging Face's PEFT, of which the parts that change numbers are read, and
// refused by name where this program would compute something else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace plinth::model {

struct PeftConfig {
  std::int32_t rank = 0;
  double alpha = 0;
  bool by_root = false;              // use_rslora: the factor is alpha / sqrt(rank)
  std::vector<std::string> targets;  // names of modules, "q_proj"
  std::string base_name;
  double factor() const;
};

inline constexpr char kPeftConfigName[] = "adapter_config.json";

// Unimplemented: DoRA, biases, whole modules beside the adapter, ranks or alphas by pattern,
// targets by expression, and whatever else is no plain low-rank adapter. InvalidArgument: a wrong
// field.
absl::StatusOr<PeftConfig> parse_peft_config(const base::json::object& config);

}  // namespace plinth::model
