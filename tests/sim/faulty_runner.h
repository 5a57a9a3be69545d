// A runner that fails now and then, half-way through a batch, and watches its pages.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/runner.h"
#include "world.h"

namespace plinth::sim {

struct FaultyRunnerOptions {
  int fails_one_in = 0;       // forward passes; 0 = never
  int not_finite_one_in = 0;  // forward passes with a NaN among the logits
  // Time that passes in each forward pass, and for each of its tokens.
  base::Duration pass_time{0}, token_time{0};
};

// It knows which slots of each page were written since the page was cleared: writing one again is
// a page that went to its next owner with the last one's content, unless it held a draft. Moves
// `clock`; violations are appended to `violations`.
std::unique_ptr<engine::Runner> make_faulty_runner(std::unique_ptr<engine::Runner> inner,
                                                   const FaultyRunnerOptions& options,
                                                   std::uint64_t seed, base::FakeClock& clock,
                                                   std::vector<std::string>& violations);

}  // namespace plinth::sim
