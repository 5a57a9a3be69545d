// plinth bench: how fast this machine runs the engine, and how far that is from what it could do.
#pragma once

#include <CLI/App.hpp>

namespace plinth {

void add_bench_command(CLI::App& app, int& exit_code);

// The subcommands, each in its own file.
void add_bench_kernels_command(CLI::App& bench, int& exit_code);
void add_bench_model_command(CLI::App& bench, int& exit_code);

}  // namespace plinth
