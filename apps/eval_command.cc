#include "apps/eval_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>

#include "apps/command_line.h"
#include "apps/eval_run.h"
#include "apps/home.h"
#include "apps/home_models.h"
#include "apps/model_install.h"
#include "apps/terminal.h"
#include "base/file.h"
#include "train/limits.h"

namespace plinth {

namespace {

struct EvalArguments {
  std::string model = "smollm2", data;
  std::string items;  // "" or a file
  EvalOptions options;
  int threads = 0;
  bool json = false;
};

struct Weights {
  std::string path;
  protocol::AdapterRef adapter;  // over them; id "" = none
};

// A file or folder, or a model that is installed, or pulled where it is not.
absl::StatusOr<Weights> find_weights(const std::string& home_flag, const std::string& model,
                                     const base::Clock& clock) {
  std::error_code error;
  if (std::filesystem::exists(model, error)) return Weights{model, {}};
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  ASSIGN_OR_RETURN(const auto name, ensure_installed(library, model, clock));
  ASSIGN_OR_RETURN(const auto installed, library.find(name));
  if (installed.base.empty()) return Weights{library.open_path(installed), {}};
  ASSIGN_OR_RETURN(const auto base, cluster::base_of_adapter(library, installed));
  ASSIGN_OR_RETURN(auto adapter, HomeModels(home, library).adapter(installed));
  return Weights{library.open_path(base), std::move(adapter)};
}

absl::Status eval(const std::string& home_flag, const EvalArguments& arguments) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto text, base::read_file(arguments.data, train::kDataBytesMax));
  auto items = read_eval_items(text, arguments.options.limit);
  if (!items.ok()) return base::annotate(items.status(), arguments.data);
  ASSIGN_OR_RETURN(const auto weights, find_weights(home_flag, arguments.model, clock));
  ASSIGN_OR_RETURN(auto engine,
                   EvalEngine::open(weights.path, arguments.threads, clock, weights.adapter));
  ASSIGN_OR_RETURN(const auto report, run_eval(engine, *items, arguments.options));
  if (!arguments.items.empty()) {
    std::string lines;
    for (const auto& item : report.items) lines += base::to_json(item) + "\n";
    RETURN_IF_ERROR(base::write_file_atomic(arguments.items, lines));
  }
  auto summary = report.summary();
  if (arguments.json) {
    fmt::print("{}\n", base::to_json(summary));
    return absl::OkStatus();
  }
  for (const auto& entry : summary) {
    fmt::print("{:<26} {}\n", std::string_view(entry.key()),
               entry.value().is_double() ? fmt::format("{:.4f}", entry.value().get_double())
                                         : base::to_json(entry.value()));
  }
  return absl::OkStatus();
}

}  // namespace

void add_eval_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("eval", "Test a model with a file of questions or texts");
  const auto arguments = std::make_shared<EvalArguments>();  // shared by the callback that is kept
  command->add_option("--model", arguments->model, "By name or path");
  command->add_option("--data", arguments->data, "Items: one JSON object a line")->required();
  command->add_option("--limit", arguments->options.limit, "Lines of the file, at most (0 = all)")
      ->range(std::int64_t{0}, std::int64_t{1} << 40);
  command->add_option("--max-tokens", arguments->options.max_tokens, "Of an answer")
      ->range(1, 1 << 20);
  command->add_option("--items", arguments->items, "Write what came of each item to this file");
  command->add_option("--threads", arguments->threads)->range(0, 1024);
  command->add_flag("--json", arguments->json, "One JSON document on stdout");
  command->callback([arguments, &home, &exit_code] {
    const auto status = eval(home, *arguments);
    exit_code = status.ok() ? 0 : report(status);
  });
}

}  // namespace plinth
