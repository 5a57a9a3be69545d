#include "apps/optimizer_options.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <map>
#include <string>

namespace plinth {

void add_optimizer_options(CLI::App& command, train::TrainerOptions& trainer) {
  static const std::map<std::string, bool> kMuon = {{"adamw", false}, {"muon", true}};
  trainer.spike_guard.on = true;
  command
      .add_option("--optimizer", trainer.muon,
                  "adamw, or muon: for the matrices of layers, beside it")
      ->transform(CLI::CheckedTransformer(kMuon, CLI::ignore_case).description(""))
      ->option_text("NAME");
  command.add_flag("--short-moments", trainer.adamw.short_moments,
                   "Keep AdamW's moments in BF16, rounded by chance");
  command.add_flag("--no-spike-guard{false}", trainer.spike_guard.on,
                   "Take steps whose loss or gradient stands far above the last ones', too");
}

}  // namespace plinth
