// The free list of KV pages. One owner thread.
#pragma once

#include <optional>
#include <vector>

#include "base/check.h"
#include "engine/runner.h"

namespace plinth::engine {

class BlockPool {
 public:
  explicit BlockPool(std::int32_t blocks) : used_(static_cast<std::size_t>(blocks), false) {
    for (std::int32_t i = blocks; i-- > 0;) free_.push_back(i);
  }
  std::int32_t total() const { return static_cast<std::int32_t>(used_.size()); }
  std::int32_t available() const { return static_cast<std::int32_t>(free_.size()); }

  std::optional<BlockId> take() {
    if (free_.empty()) return std::nullopt;
    const std::int32_t block = free_.back();
    free_.pop_back();
    CHECK(!used_[static_cast<std::size_t>(block)]);
    used_[static_cast<std::size_t>(block)] = true;
    return BlockId(block);
  }
  void give(BlockId block) {
    const auto index = static_cast<std::size_t>(block.value());
    CHECK(index < used_.size() && used_[index]);
    used_[index] = false;
    free_.push_back(block.value());
  }

 private:
  std::vector<bool> used_;
  std::vector<std::int32_t> free_;
};

}  // namespace plinth::engine
