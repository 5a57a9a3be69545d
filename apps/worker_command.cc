#include "apps/worker_command.h"

#include <signal.h>
#include <stdlib.h>

#include <memory>
#include <random>

#include "apps/command_line.h"
#include "apps/engine_settings.h"
#include "apps/settings_flags.h"
#include "apps/terminal.h"
#include "base/core_dumps.h"
#include "cluster/executor.h"
#include "governance/sealed_file.h"
#include "worker/worker.h"

namespace plinth {

namespace {

absl::Status work(worker::WorkerOptions options, const SettingFlags& flags) {
  // The gateway's end is the worker's; a terminal's Ctrl-C is not.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  RETURN_IF_ERROR(base::forbid_core_dumps());
  const char* token = ::getenv(cluster::kWorkerTokenVariable);
  if (token == nullptr) {
    return base::failed_precondition("this command is for `plinth up` to start its workers with");
  }
  options.token = token;
  ::unsetenv(cluster::kWorkerTokenVariable);
  base::Settings settings;
  RETURN_IF_ERROR(flags.apply(settings));
  RETURN_IF_ERROR(resolve_machine(settings));
  apply_log_settings(settings);
  ASSIGN_OR_RETURN(options.engine, engine_options(settings));
  options.runner = runner_options(settings);
  options.runner.open_sealed = governance::read_sealed_file;
  options.packed_cache = settings.boolean("engine.packed_cache");
  options.autotune = settings.boolean("engine.autotune");
  // Else every start would answer requests without a seed alike.
  std::random_device random;
  options.engine.seed_base = std::uint64_t{random()} << 32 | random();
  const base::RealClock clock;
  return worker::run_worker(options, clock);
}

}  // namespace

void add_worker_command(Command& app, int& exit_code) {
  auto* command = app.add_subcommand("worker", "One model's process")->group("");
  const auto options =
      std::make_shared<worker::WorkerOptions>();  // shared by the callback that is kept
  command->add_option("--socket", options->socket_path, "The gateway's socket")->required();
  command->add_option("--model-path", options->model_path, "Weights to load")->required();
  command->add_option("--cache-folder", options->cache_folder, "For files that speed up a start");
  const auto flags = std::make_shared<SettingFlags>(*command, kWorkerTables);
  command->callback([options, flags, &exit_code] {
    const auto status = work(*options, *flags);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
