// sim [--world NAME] [--seed N] [--count M]: runs each world for the seeds N to N + M - 1, says for
// each violation how to repeat it, and counts what happened. From kSeedsThatShowAll seeds on, a
// thing that never happened is a failure too.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "world.h"

namespace {

struct World {
  const char* name;
  plinth::sim::Outcome (*run)(std::uint64_t seed);
};

constexpr World kWorlds[] = {{"engine", plinth::sim::run_engine_world},
                             {"fairness", plinth::sim::run_fairness_world}};

constexpr std::uint64_t kSeedsThatShowAll = 40;

// True where every invariant held.
bool report(const World& world, std::uint64_t seed, const plinth::sim::Outcome& outcome) {
  if (outcome.violations.empty()) return true;
  std::printf("%s seed %llu:\n", world.name, static_cast<unsigned long long>(seed));
  for (std::size_t i = 0; i < outcome.violations.size() && i < 10; ++i) {
    std::printf("  VIOLATION: %s\n", outcome.violations[i].c_str());
  }
  std::printf("  repeat with: sim --world %s --seed %llu\n", world.name,
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  return false;
}

// The number of seeds that failed.
std::uint64_t run(const World& world, std::uint64_t first, std::uint64_t count) {
  std::map<std::string, std::int64_t> totals;
  std::uint64_t failed = 0;
  for (auto seed = first; seed < first + count; ++seed) {
    const auto outcome = world.run(seed);
    failed += report(world, seed, outcome) ? 0 : 1;
    for (const auto& [name, times] : outcome.counts) totals[name] += times;
  }
  std::printf("%s, %llu seeds:", world.name, static_cast<unsigned long long>(count));
  for (const auto& [name, times] : totals) {
    std::printf(" %s %lld;", name.c_str(), static_cast<long long>(times));
    if (times > 0 || count < kSeedsThatShowAll) continue;
    std::printf("\n  VIOLATION: no %s in all these seeds\n", name.c_str());
    ++failed;
  }
  std::printf(" %llu failed\n", static_cast<unsigned long long>(failed));
  return failed;
}

int usage() {
  std::fprintf(stderr, "usage: sim [--world NAME] [--seed N] [--count M]\n");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1, count = 1;
  std::string only;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return usage();
    if (std::strcmp(argv[i], "--seed") == 0)
      seed = std::strtoull(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--count") == 0)
      count = std::strtoull(argv[i + 1], nullptr, 10);
    else if (std::strcmp(argv[i], "--world") == 0)
      only = argv[i + 1];
    else
      return usage();
  }
  std::uint64_t failed = 0;
  bool known = false;
  for (const World& world : kWorlds) {
    if (!only.empty() && only != world.name) continue;
    known = true;
    failed += run(world, seed, count);
  }
  if (!known) return usage();
  return failed == 0 ? 0 : 1;
}
