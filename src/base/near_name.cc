#include "base/near_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace plinth::base {

namespace {

// Names come from people and files: the table of a longer one would cost quadratic work.
constexpr std::size_t kNameBytesMax = 128;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& known) {
  if (name.size() > kNameBytesMax) return "";
  std::string_view best;
  std::size_t best_distance = SIZE_MAX;
  for (const auto other : known) {
    const auto distance = edit_distance(name, other);
    if (distance <= std::max<std::size_t>(1, other.size() / 3) && distance < best_distance) {
      best = other;
      best_distance = distance;
    }
  }
  return best.empty() ? "" : fmt::format("; did you mean {}?", best);
}

}  // namespace plinth::base
