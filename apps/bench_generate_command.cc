#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "apps/bench_command.h"
#include "apps/command_line.h"
#include "apps/terminal.h"
#include "base/thread_pool.h"
#include "model/random_model.h"

namespace plinth {

namespace {

struct GenerateArguments {
  std::string file;
  std::string shape = "llama-1b";
  std::string type = "q4_0";
  std::string head = "q6_k";
  std::uint64_t seed = 1;
  int threads = 0;
};

std::string shape_names() {
  std::string names;
  for (const auto& shape : model::random_model_shapes()) {
    names += (names.empty() ? "" : ", ") + std::string(shape.name);
  }
  return names;
}

absl::StatusOr<model::RandomModelShape> parse_shape(const std::string& name) {
  for (const auto& shape : model::random_model_shapes()) {
    if (shape.name == name) return shape;
  }
  return base::invalid_argument(
      fmt::format("{}: no such shape; there are {}", name, shape_names()));
}

absl::StatusOr<tensor::DType> parse_type(const std::string& name) {
  if (const auto dtype = tensor::dtype_named(name)) return *dtype;
  return base::invalid_argument(name + ": no such weight type; for example q4_0, q8_0, q4_k");
}

absl::Status generate(const GenerateArguments& arguments) {
  model::RandomModelOptions options;
  ASSIGN_OR_RETURN(options.shape, parse_shape(arguments.shape));
  ASSIGN_OR_RETURN(options.linear, parse_type(arguments.type));
  ASSIGN_OR_RETURN(options.head, parse_type(arguments.head));
  options.seed = arguments.seed;
  base::ThreadPool threads(
      arguments.threads > 0 ? arguments.threads
                            : static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  const base::RealClock clock;
  ProgressBar progress(clock);
  const auto status = model::write_random_model(options, arguments.file, threads,
                                                [&](std::uint64_t done, std::uint64_t total) {
                                                  progress.update(arguments.file, done, total);
                                                });
  progress.finish();
  return status;
}

}  // namespace

void add_bench_generate_command(Command& bench, int& exit_code) {
  auto* command =
      bench.add_subcommand("generate", "Write a model file with random weights, to measure with");
  const auto arguments =
      std::make_shared<GenerateArguments>();  // shared by the callback that is kept
  command->add_option("file", arguments->file, "GGUF file to write")->required();
  command->add_option("--shape", arguments->shape, shape_names())->capture_default_str();
  command->add_option("--type", arguments->type, "Weight type of the layers")
      ->capture_default_str();
  command->add_option("--head", arguments->head, "Weight type of the embedding and head")
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "Of the weights")->capture_default_str();
  command->add_option("--threads", arguments->threads, "Threads (0 = all)")->range(0, 1024);
  command->callback([arguments, &exit_code] {
    const auto status = generate(*arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
