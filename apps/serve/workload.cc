#include "apps/serve/workload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apps/serve/load_math.h"
#include "base/random.h"

namespace plinth::serve {

namespace {

// Draws of one conversation, apart from those of every other.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t conversation)
      : seed_(seed), conversation_(conversation) {}

  double uniform() { return base::uniform_at(seed_, conversation_, ++drawn_); }
  int between(int first, int last) {
    return first + static_cast<int>(uniform() * (last - first + 1));
  }
  // Exponential: most people answer soon, some late.
  double around(double mean) { return -std::log(1 - uniform()) * mean; }

 private:
  const std::uint64_t seed_, conversation_;
  std::uint64_t drawn_ = 0;
};

constexpr double kThinkMeanS = 2;

std::vector<Turn> chat_turns(Draws& draws) {
  std::vector<Turn> turns(static_cast<std::size_t>(draws.between(2, 6)));
  for (auto& turn : turns) turn = {draws.between(8, 60), draws.between(16, 96), 0, false};
  for (std::size_t i = 1; i < turns.size(); ++i) {
    turns[i].think_s = whole_microseconds(draws.around(kThinkMeanS));
  }
  return turns;
}

std::vector<Turn> short_turn(Draws& draws) {
  return {{draws.between(4, 32), draws.between(8, 32), 0, false}};
}

// As a document that is summed up.
std::vector<Turn> long_turn(Draws& draws) {
  return {{draws.between(300, 1000), draws.between(16, 48), 0, false}};
}

std::vector<Turn> edit_turn(Draws& draws) {
  const int words = draws.between(80, 160);
  return {{words, words * 3 / 2, 0, true}};
}

std::vector<Turn> turns_of_mix(const WorkloadOptions& options, Draws& draws) {
  if (options.mix == "short") return short_turn(draws);
  if (options.mix == "long") return long_turn(draws);
  if (options.mix == "chat") return chat_turns(draws);
  if (options.mix == "edit") return edit_turn(draws);
  if (options.mix == "mixed") {
    const double kind = draws.uniform();
    return kind < 0.4 ? short_turn(draws) : (kind < 0.8 ? chat_turns(draws) : long_turn(draws));
  }
  return {{options.prompt_words, options.max_tokens, 0, false}};
}

int tenant_of(int tenants, double uniform) {
  double total = 0;
  for (int k = 1; k <= tenants; ++k) total += 1.0 / k;
  double sum = 0;
  for (int k = 1; k < tenants; ++k) {
    sum += 1.0 / k / total;
    if (uniform < sum) return k;
  }
  return tenants;
}

}  // namespace

absl::StatusOr<Workload> make_workload(const WorkloadOptions& options) {
  if (std::find(std::begin(kMixes), std::end(kMixes), options.mix) == std::end(kMixes)) {
    return base::invalid_argument(
        fmt::format("there is no mix '{}': there are {}", options.mix, fmt::join(kMixes, ", ")));
  }
  const auto times = poisson_schedule(options.seed, options.rate_per_s, options.conversations);
  Workload workload;
  for (std::size_t i = 0; i < times.size(); ++i) {
    Draws draws(options.seed, i);
    const auto tenant = fmt::format("tenant-{}", tenant_of(options.tenants, draws.uniform()));
    workload.push_back({whole_microseconds(times[i]), tenant, turns_of_mix(options, draws)});
  }
  return workload;
}

double whole_microseconds(double seconds) { return std::round(seconds * 1e6) / 1e6; }

}  // namespace plinth::serve
