#include "train/packing.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace plinth::train {

std::vector<std::vector<std::size_t>> pack(const std::vector<std::int64_t>& lengths,
                                           std::int64_t capacity) {
  std::vector<std::size_t> order(lengths.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
  std::vector<std::vector<std::size_t>> passes;
  std::multimap<std::int64_t, std::size_t> room;  // what a pass has left, and which it is
  for (const auto index : order) {
    const auto found = room.lower_bound(lengths[index]);
    std::size_t pass = passes.size();
    std::int64_t left = capacity;
    if (found == room.end()) {
      passes.emplace_back();
    } else {
      left = found->first;
      pass = found->second;
      room.erase(found);
    }
    passes[pass].push_back(index);
    room.emplace(left - lengths[index], pass);
  }
  return passes;
}

}  // namespace plinth::train
