#include "apps/bench_command.h"

#include "apps/command_line.h"

namespace plinth {

void add_bench_command(Command& app, const std::string& home, int& exit_code) {
  auto* bench = app.add_subcommand("bench", "Measure speed on this machine");
  bench->require_subcommand();
  add_bench_gateway_command(*bench, exit_code);
  add_bench_generate_command(*bench, exit_code);
  add_bench_kernels_command(*bench, exit_code);
  add_bench_keys_command(*bench, exit_code);
  add_bench_ledger_command(*bench, exit_code);
  add_bench_model_command(*bench, exit_code);
  add_bench_perplexity_command(*bench, exit_code);
  add_bench_requests_command(*bench, exit_code);
  add_bench_serve_command(*bench, home, exit_code);
}

}  // namespace plinth
