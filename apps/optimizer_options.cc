#include "apps/optimizer_options.h"

#include <map>
#include <string>

#include "apps/command_line.h"

namespace plinth {

void add_optimizer_options(Command& command, train::TrainerOptions& trainer) {
  static const std::map<std::string, bool> kMuon = {{"adamw", false}, {"muon", true}};
  trainer.spike_guard.on = true;
  command.add_choice("--optimizer", trainer.muon, kMuon,
                     "adamw, or muon: for the matrices of layers, beside it");
  command.add_flag("--short-moments", trainer.adamw.short_moments,
                   "Keep AdamW's moments in BF16, rounded by chance");
  command.add_flag("--no-spike-guard{false}", trainer.spike_guard.on,
                   "Take steps whose loss or gradient stands far above the last ones', too");
}

}  // namespace plinth
