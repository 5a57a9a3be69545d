#include "apps/engine_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "absl/strings/numbers.h"
#include "base/cpu_affinity.h"
#include "base/cpu_limit.h"
#include "base/log.h"
#include "base/memory_limit.h"
#include "protocol/limits.h"

namespace plinth {

namespace {

constexpr char kByMachine[] = "this machine";

absl::StatusOr<std::map<std::string, std::int32_t>> parse_weights(
    const std::vector<std::string>& entries) {
  std::map<std::string, std::int32_t> weights;
  for (const auto& entry : entries) {
    const auto equals = entry.find('=');
    const auto project = entry.substr(0, equals);
    std::int32_t weight = 0;
    const bool parsed =
        equals != std::string::npos && absl::SimpleAtoi(entry.substr(equals + 1), &weight);
    if (!parsed || project.empty() || weight < 1 || weight > protocol::kTenantWeightMax) {
      return base::invalid_argument(fmt::format(
          "engine.project_weights: '{}' is not PROJECT=WEIGHT with a weight from 1 to {}", entry,
          protocol::kTenantWeightMax));
    }
    if (!weights.emplace(project, weight).second) {
      return base::invalid_argument(
          fmt::format("engine.project_weights: '{}' has two weights", project));
    }
  }
  return weights;
}

}  // namespace

absl::Status resolve_machine(base::Settings& settings) {
  const auto granted_mib = static_cast<std::int64_t>(base::memory_limit_bytes() >> 20);
  const auto fill = [&](std::string_view key, std::int64_t value) {
    return settings.integer(key) != 0 ? absl::OkStatus()
                                      : settings.set_value(key, value, kByMachine);
  };
  RETURN_IF_ERROR(fill("engine.threads", std::min(base::cpu_limit(), 1024)));
  RETURN_IF_ERROR(fill("engine.kv_mib", std::clamp<std::int64_t>(granted_mib / 16, 128, 4096)));
  return fill("models.memory_mib", std::max<std::int64_t>(1, granted_mib / 5 * 4));
}

std::vector<std::string> worker_arguments(const base::Settings& settings) {
  std::vector<std::string> arguments;
  for (const auto& setting : base::declared_settings()) {
    const auto table = setting.key.substr(0, setting.key.find('.'));
    if (std::find(kWorkerTables.begin(), kWorkerTables.end(), table) == kWorkerTables.end())
      continue;
    const auto value = settings.as_text(setting.key);
    // A list of nothing, which is no flag's value.
    if (value.empty()) continue;
    arguments.push_back(fmt::format("{}={}", setting.flag_name(), value));
  }
  return arguments;
}

absl::StatusOr<engine::EngineOptions> engine_options(const base::Settings& settings) {
  engine::EngineOptions options;
  options.context_tokens = static_cast<std::int32_t>(settings.integer("engine.ctx"));
  options.kv_bytes = static_cast<std::size_t>(settings.integer("engine.kv_mib")) << 20;
  options.adapter_bytes = static_cast<std::size_t>(settings.integer("engine.adapters_mib")) << 20;
  options.step_tokens_max = static_cast<std::int32_t>(settings.integer("engine.step_tokens_max"));
  options.sequences_max = static_cast<std::int32_t>(settings.integer("engine.sequences_max"));
  options.queue_max = static_cast<std::int32_t>(settings.integer("engine.queue_max"));
  options.prefix_cache = settings.boolean("engine.prefix_cache");
  options.prompt_token_cost =
      static_cast<std::int32_t>(settings.integer("engine.prompt_token_cost"));
  options.output_token_cost =
      static_cast<std::int32_t>(settings.integer("engine.output_token_cost"));
  ASSIGN_OR_RETURN(options.tenant_weights, parse_weights(settings.list("engine.project_weights")));
  options.speculation = settings.text("engine.speculation") == "off" ? engine::Speculation::off
                                                                     : engine::Speculation::ngram;
  return options;
}

engine::ModelRunnerOptions runner_options(const base::Settings& settings) {
  engine::ModelRunnerOptions options;
  options.threads = static_cast<int>(settings.integer("engine.threads"));
  options.isa = tensor::best_isa();
  options.context_tokens = static_cast<std::int32_t>(settings.integer("engine.ctx"));
  options.kv = tensor::kv_type_named(settings.text("engine.kv_type"));
  if (settings.boolean("engine.pin_threads")) {
    options.pin = base::pin_in_turn(base::allowed_processors());
  }
  return options;
}

void apply_log_settings(const base::Settings& settings) {
  base::set_log_level(base::log_level_named(settings.text("log.level")));
  base::set_log_json(settings.text("log.format") == "json");
}

}  // namespace plinth
