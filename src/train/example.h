// What a model learns from: tokens, and which of them it should have said.
#pragma once

#include <cstdint>
#include <vector>

namespace plinth::train {

struct Example {
  std::vector<std::int32_t> ids;
  // Whether each is learnt, given all before it; the first never is.
  std::vector<bool> learnt;

  void append(const std::vector<std::int32_t>& more, bool is_learnt) {
    ids.insert(ids.end(), more.begin(), more.end());
    learnt.insert(learnt.end(), more.size(), is_learnt);
  }
  // Tokens that go through a model: nothing follows the last.
  std::int64_t inputs() const { return static_cast<std::int64_t>(ids.size()) - 1; }
  std::int64_t targets() const {
    std::int64_t count = 0;
    for (std::size_t i = 1; i < learnt.size(); ++i) count += learnt[i] ? 1 : 0;
    return count;
  }
};

}  // namespace plinth::train
