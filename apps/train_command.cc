#include "apps/train_command.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "apps/command_line.h"
#include "apps/home.h"
#include "apps/model_install.h"
#include "apps/optimizer_options.h"
#include "apps/ranks.h"
#include "apps/train_run.h"

namespace plinth {

namespace {

struct TrainArguments {
  std::string install;  // "" = the model is not installed
  int ranks = 0;
  TrainOptions run;
};

absl::Status train_model(const std::string& home_flag, const TrainArguments& arguments,
                         train::Collective& ranks) {
  const base::RealClock clock;
  ASSIGN_OR_RETURN(const auto home, find_home(home_flag));
  ASSIGN_OR_RETURN(const auto library, cluster::ModelLibrary::open(home));
  auto run = arguments.run;
  std::error_code error;
  if (!run.text.tokenizer.empty() && !std::filesystem::exists(run.text.tokenizer, error)) {
    ASSIGN_OR_RETURN(const auto installed, library.find(run.text.tokenizer));
    run.text.tokenizer = library.open_path(installed);
  }
  ASSIGN_OR_RETURN(const auto trained, run_train(run, clock, ranks));
  if (ranks.place().rank != 0) return absl::OkStatus();
  return take_trained(library, trained, arguments.install, clock);
}

void add_options(Command& command, TrainArguments& arguments) {
  auto& run = arguments.run;
  auto& trainer = run.trainer;
  command.add_option("--data", run.text.data, "Plain text, or tokens (.bin)")->required();
  command.add_option("--valid", run.text.valid, "The same, not learnt but looked at");
  command.add_option("--tokenizer", run.text.tokenizer, "Take that of this model, by name or path");
  command
      .add_option("--vocab", run.text.vocab,
                  "Learn so many tokens from the text; 0: its tokens are bytes")
      ->range(258, 1 << 20);
  command.add_option("--to", run.folder, "Folder for what the run leaves")->required();
  command.add_option("--install", arguments.install, "Install the model under this name");
  command.add_flag("--safetensors", run.safetensors,
                   "Leave the model for Hugging Face's transformers, too");
  command.add_option("--depth,--layers", run.layers, "All else follows from it")
      ->capture_default_str()
      ->range(1, 64);
  command.add_option("--width", run.width, "0: 64 for each layer")->range(0, 8192);
  command.add_option("--heads", run.heads, "0: of 64, or 128 from a width of 512 on")
      ->range(0, 256);
  command.add_option("--context", run.context, "Tokens of a window")
      ->capture_default_str()
      ->range(2, 1 << 16);
  command.add_option("--batch-size", trainer.batch_size, "Windows of a step")
      ->capture_default_str()
      ->range(1, 1 << 16);
  command.add_option("--steps", trainer.steps, "0: 20 tokens for each weight")->range(0, 1 << 30);
  command.add_option("--learning-rate", trainer.schedule.rate, "0: by the width")->not_negative();
  command.add_option("--warmup-steps", trainer.schedule.warmup_steps)->range(0, 1 << 30);
  command
      .add_option("--valid-part", run.text.valid_part,
                  "Without --valid: of the data, from its end, is not learnt")
      ->capture_default_str()
      ->range(0.001, 0.5);
  command.add_option("--eval-steps", run.eval_steps, "Steps between looks at that part")
      ->capture_default_str()
      ->range(1, 1 << 30);
  command.add_option("--checkpoint-steps", run.checkpoint_steps)
      ->capture_default_str()
      ->range(0, 1 << 30);
  add_optimizer_options(command, trainer);
  command.add_option("--seed", trainer.seed);
  add_rank_options(command, run.threads, arguments.ranks);
  command.add_flag("--resume", run.resume, "Go on with the run that the folder holds");
  command.add_flag("--f32", run.f32, "Multiply in fp32 where BF16 would be faster");
}

}  // namespace

void add_train_command(Command& app, const std::string& home, int& exit_code) {
  auto* command = app.add_subcommand("train", "Train a small model from plain text");
  const auto arguments = std::make_shared<TrainArguments>();  // shared by the callback that is kept
  auto& trainer = arguments->run.trainer;
  trainer.batch_size = 16;
  trainer.schedule = {0, 0.1, 0, train::Decay::cosine};
  add_options(*command, *arguments);
  command->footer(
      "\nExample:\n  plinth train --data book.txt --depth 4 --to small --install small");
  command->callback([arguments, &home, &exit_code] {
    exit_code = run_ranked({arguments->ranks, nullptr, [&](train::Collective& ranks) {
                              return train_model(home, *arguments, ranks);
                            }});
  });
}

}  // namespace plinth
