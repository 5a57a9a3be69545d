// How often one sequence's drafts come true, by their confidence. The recent count more: a text
// changes from quoting to writing.
#pragma once

#include <array>

#include "engine/speculate/drafter.h"

namespace plinth::engine {

class Acceptance {
 public:
  // The chance that the next drafted token is the one that will be sampled, if all before it were.
  double chance(int confidence) const;
  // A drafted token met the sampled one, or did not. One that was drafted but not computed counts
  // as well: learning costs nothing.
  void observe(int confidence, bool accepted);

 private:
  struct Rate {
    double hits = 0, tries = 0;  // decayed
  };
  std::array<Rate, kConfidences> rates_{};
};

}  // namespace plinth::engine
