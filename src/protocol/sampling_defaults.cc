#include "protocol/sampling_defaults.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace plinth::protocol {

namespace {

struct DefaultField {
  double least, most;
  bool whole;
  void (*set)(SamplingParams& params, double value);
};

constexpr std::array<std::string_view, 6> kNames{"temperature", "top_p",     "top_k",
                                                 "min_p",       "typical_p", "repetition_penalty"};
// In the order of the names. Nothing left of a nucleus of 0: requests may ask for it, models not.
constexpr std::array<DefaultField, kNames.size()> kFields{{
    {0, 2, false, [](SamplingParams& params, double value) { params.temperature = value; }},
    {1e-6, 1, false, [](SamplingParams& params, double value) { params.top_p = value; }},
    {0, 1 << 22, true,
     [](SamplingParams& params, double value) { params.top_k = static_cast<std::int32_t>(value); }},
    {0, 1, false, [](SamplingParams& params, double value) { params.min_p = value; }},
    {1e-6, 1, false, [](SamplingParams& params, double value) { params.typical_p = value; }},
    {0.01, 100, false,
     [](SamplingParams& params, double value) { params.repetition_penalty = value; }},
}};

const DefaultField* find(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  return found == kNames.end() ? nullptr
                               : &kFields[static_cast<std::size_t>(found - kNames.begin())];
}

}  // namespace

std::span<const std::string_view> sampling_default_names() { return kNames; }

absl::Status check_sampling_default(std::string_view name, double value) {
  const auto* field = find(name);
  if (field == nullptr) {
    return base::invalid_argument(fmt::format("sampling.{}: no such default", name));
  }
  const bool inside = value >= field->least && value <= field->most;
  if (!inside || (field->whole && value != std::floor(value))) {
    return base::invalid_argument(fmt::format("sampling.{}: {} is no {} from {} to {}", name, value,
                                              field->whole ? "integer" : "number", field->least,
                                              field->most));
  }
  return absl::OkStatus();
}

void set_sampling(SamplingParams& params, std::string_view name, double value) {
  const auto* field = find(name);
  CHECK(field != nullptr);
  field->set(params, value);
}

}  // namespace plinth::protocol
