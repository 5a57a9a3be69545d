#include "train/share.h"

#include <algorithm>
#include <numeric>

namespace plinth::train {

std::vector<std::size_t> share_of(const std::vector<std::int64_t>& lengths, const Place& place) {
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (place.ranks == 1) return order;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::int64_t> tokens(static_cast<std::size_t>(place.ranks));
  std::vector<std::size_t> share;
  for (const auto index : order) {
    const auto least = std::min_element(tokens.begin(), tokens.end());
    *least += lengths[index];
    if (least - tokens.begin() == place.rank) share.push_back(index);
  }
  std::sort(share.begin(), share.end());
  return share;
}

}  // namespace plinth::train
