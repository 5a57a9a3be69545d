#include "apps/finetune_command.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "apps/command_line.h"
#include "apps/finetune_run.h"
#include "apps/home.h"
#include "apps/model_install.h"
#include "apps/optimizer_options.h"
#include "apps/ranks.h"
#include "train/agreement.h"

namespace plinth {

namespace {

struct FinetuneArguments {
  std::string base = "smollm2";
  std::string install;  // "" = the model with the adapter in it is not installed
  FinetuneOptions run;
  bool resume = false;
  int ranks = 0;
};

// The base is installed or pulled where it is no path. Returns its name.
absl::StatusOr<std::string> install_base(const std::string& home_flag,
                                         const FinetuneArguments& arguments) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  return ensure_installed(library, arguments.base, clock);
}

absl::Status finetune(const std::string& home_flag, FinetuneArguments arguments,
                      train::Collective& ranks) {
  if (arguments.run.run.trainer.muon && !arguments.run.run.full)
    return base::invalid_argument("--optimizer muon is for whole weights: it needs --full");
  const base::RealClock clock;
  const bool first = ranks.place().rank == 0;
  const auto ready = first ? install_base(home_flag, arguments).status() : absl::OkStatus();
  RETURN_IF_ERROR(train::agree(ranks, ready));
  ASSIGN_OR_RETURN(const auto name, install_base(home_flag, arguments));
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  ASSIGN_OR_RETURN(const auto installed, library.find(name));
  if (!installed.base.empty()) {
    return base::unimplemented(
        fmt::format("--base {}: an adapter is none; `plinth model export {} MODEL.gguf --format "
                    "gguf --type f16` "
                    "makes a model of it and {}",
                    name, name, installed.base));
  }
  arguments.run.run.base_name = name;
  arguments.run.run.base_path = library.open_path(installed);
  arguments.run.run.resume = arguments.resume ? ResumeMode::must : ResumeMode::never;
  ASSIGN_OR_RETURN(const auto merged, run_finetune(arguments.run, clock, ranks));
  return first ? take_trained(library, merged, arguments.install, clock) : absl::OkStatus();
}

void add_method(Command& command, train::ObjectiveOptions& objective) {
  static const std::map<std::string, train::Method> kMethods = {{"sft", train::Method::sft},
                                                                {"dpo", train::Method::dpo},
                                                                {"ipo", train::Method::ipo},
                                                                {"orpo", train::Method::orpo}};
  command.add_choice("--method", objective.method, kMethods,
                     "sft, or of preferences: dpo, ipo, orpo");
  auto& preference = objective.preference;
  command.add_option("--beta", preference.beta, "Of preferences: how near to the base they keep")
      ->capture_default_str()
      ->range(1e-6, 1e3);
  command
      .add_option("--label-smoothing", preference.label_smoothing,
                  "Of dpo: how many preferences are the wrong way around")
      ->range(0.0, 0.5);
}

void add_options(Command& command, FinetuneArguments& arguments) {
  auto& files = arguments.run;
  auto& run = arguments.run.run;
  command.add_option("--base", arguments.base, "Model to begin with, by name or path")
      ->capture_default_str();
  command.add_option("--data", files.data, "Examples: one JSON object a line")->required();
  command.add_option("--valid", files.valid, "Examples that are not learnt but looked at");
  command.add_option("--to", run.folder, "Folder for what the run leaves")->required();
  command.add_option("--install", arguments.install, "Install the tuned model under this name");
  command.add_flag("--safetensors", run.safetensors,
                   "Leave the tuned model for Hugging Face's transformers, too");
  add_method(command, run.trainer.objective);
  command.add_option("--epochs", run.trainer.epochs)->range(1, 50);
  command.add_option("--batch-size", run.trainer.batch_size, "Examples of a step")->range(1, 256);
  command.add_option("--learning-rate", run.trainer.schedule.rate)->positive();
  command.add_flag("--full", run.full, "The weights themselves learn, not an adapter");
  add_optimizer_options(command, run.trainer);
  command.add_option("--rank", run.lora.rank, "Of the adapter")->range(1, 1024);
  command.add_option("--alpha", run.lora.alpha)->positive();
  command.add_flag("--rslora", run.lora.by_root, "Scale by the root of the rank");
  command.add_option("--targets", run.lora.targets, "Of q, k, v, o, gate, up, down")
      ->delimiter(',');
  command.add_flag("--qlora", run.lora.keep_stored,
                   "Keep the base as it is stored, for less memory and more time");
  command.add_option("--tokens-max", run.tokens_max, "Of an example; longer ones are cut")
      ->range(2, 1 << 20);
  command.add_option("--seed", run.trainer.seed);
  add_rank_options(command, run.threads, arguments.ranks);
  command
      .add_option("--checkpoint-steps", run.checkpoint_steps,
                  "Steps between checkpoints; 0: only where it is stopped")
      ->range(0, 1 << 30);
  command.add_flag("--resume", arguments.resume, "Go on with the run that the folder holds");
  command.add_flag("--f32", run.f32, "Multiply in fp32 where BF16 would be faster");
  command.add_flag("--json", files.json, "One line of JSON for each step");
}

}  // namespace

void add_finetune_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("finetune", "Tune a model on examples");
  const auto arguments =
      std::make_shared<FinetuneArguments>();  // shared by the callback that is kept
  arguments->run.run.lora.rank = 16;
  arguments->run.run.lora.alpha = 32;
  arguments->run.run.trainer.schedule.rate = 2e-4;
  add_options(*command, *arguments);
  command->footer(
      "\nExamples:\n"
      "  plinth finetune --data chats.jsonl --to tuned --install my-model\n"
      "  plinth up --model my-model");
  command->callback([arguments, &home, &exit_code] {
    exit_code =
        run_ranked({arguments->ranks, [&] { return install_base(home, *arguments).status(); },
                    [&](train::Collective& ranks) { return finetune(home, *arguments, ranks); }});
  });
}

}  // namespace plinth
