// A world: a part of Plinth with fakes at its slow boundaries and a clock of its own, in which
// everything that happens follows from one seed.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace plinth::sim {

struct Outcome {
  // What happened, by name. Over many seeds none may stay at 0: the world would not be looking.
  std::map<std::string, std::int64_t> counts;
  std::vector<std::string> violations;  // of the world's invariants; empty = fine
};

// All chance of a world comes from here.
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : random_(seed) {}
  // Whole numbers from `least` to `most`.
  int pick(int least, int most) {
    return least + static_cast<int>(random_() % static_cast<std::uint64_t>(most - least + 1));
  }
  bool one_in(int n) { return pick(1, n) == 1; }
  double real(double least, double most) {
    return least + (most - least) * static_cast<double>(random_() >> 11) * 0x1.0p-53;
  }
  std::uint64_t bits() { return random_(); }

 private:
  std::mt19937_64 random_;
};

// One engine under clients that cancel, read slowly or ask for nonsense, on a runner that fails.
Outcome run_engine_world(std::uint64_t seed);
// One engine under tenants that always have more waiting than it has places for, and one that comes
// now and then: what each is served.
Outcome run_fairness_world(std::uint64_t seed);

}  // namespace plinth::sim
