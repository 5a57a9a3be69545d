#include "engine/sample/logprobs.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/sample/softmax.h"

namespace plinth::engine {

protocol::PositionLogprobs position_logprobs(std::span<const float> logits, std::int32_t chosen,
                                             std::int32_t top) {
  const float best = largest(logits);
  const double total = static_cast<double>(best) + std::log(exponentials(logits, best, 1.0f, {}));
  const auto at = [&](std::int32_t token) { return logits[static_cast<std::size_t>(token)]; };
  const auto entry = [&](std::int32_t token) {
    protocol::TokenLogprob logprob;
    logprob.token = token;
    // Rounding must not make a certain token more than certain.
    logprob.logprob =
        static_cast<float>(std::clamp(static_cast<double>(at(token)) - total, -9999.0, 0.0));
    return logprob;
  };
  const auto better = [&](std::int32_t a, std::int32_t b) {
    return at(a) != at(b) ? at(a) > at(b) : a < b;
  };
  // A heap of the best so far with the worst of them in front: nearly every token fails the
  // comparison with it and costs nothing more.
  std::vector<std::int32_t> heap;
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(top), logits.size());
  heap.reserve(count + 1);
  for (std::int32_t token = 0; count > 0 && token < static_cast<std::int32_t>(logits.size());
       ++token) {
    if (heap.size() == count) {
      if (!better(token, heap.front())) continue;
      std::pop_heap(heap.begin(), heap.end(), better);
      heap.pop_back();
    }
    heap.push_back(token);
    std::push_heap(heap.begin(), heap.end(), better);
  }
  std::sort_heap(heap.begin(), heap.end(), better);
  protocol::PositionLogprobs result;
  result.chosen = entry(chosen);
  for (const auto token : heap) result.top.push_back(entry(token));
  return result;
}

}  // namespace plinth::engine
