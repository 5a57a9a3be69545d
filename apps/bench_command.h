// plinth bench: how fast this machine runs the engine, how far that is from what it could do, and
// what a service makes of it.
#pragma once

#include <string>

namespace plinth {

class Command;

void add_bench_command(Command& app, const std::string& home, int& exit_code);

// The subcommands, each in its own file.
void add_bench_gateway_command(Command& bench, int& exit_code);
// A model file with random weights, to measure sizes and types without a download.
void add_bench_generate_command(Command& bench, int& exit_code);
void add_bench_kernels_command(Command& bench, int& exit_code);
// Memory and time that keys take.
void add_bench_keys_command(Command& bench, int& exit_code);
void add_bench_ledger_command(Command& bench, int& exit_code);
void add_bench_model_command(Command& bench, int& exit_code);
// How well a model predicts a text, beside the exact path.
void add_bench_perplexity_command(Command& bench, int& exit_code);
// Short requests over kept connections.
void add_bench_requests_command(Command& bench, int& exit_code);
// Open-loop load on a service.
void add_bench_serve_command(Command& bench, const std::string& home, int& exit_code);

}  // namespace plinth
