// The settings that a gateway hands to its workers, with "0 = by the machine" worked out.
#pragma once

#include <string>
#include <vector>

#include "base/settings.h"
#include "engine/engine.h"
#include "engine/model_runner.h"

namespace plinth {

// The tables whose flags `plinth worker` takes.
inline const std::vector<std::string_view> kWorkerTables{"engine", "log"};

// Replaces zeros by what the processors, memory and control groups of this machine grant.
absl::Status resolve_machine(base::Settings& settings);
// --ctx=4096 --threads=2 ...: kWorkerTables as flags.
std::vector<std::string> worker_arguments(const base::Settings& settings);
// InvalidArgument names the setting and the value.
absl::StatusOr<engine::EngineOptions> engine_options(const base::Settings& settings);
engine::ModelRunnerOptions runner_options(const base::Settings& settings);
// Level and format of this process's log.
void apply_log_settings(const base::Settings& settings);

}  // namespace plinth
