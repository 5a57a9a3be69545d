// The KV pages: who holds each, and which are free. One owner thread.
#pragma once

#include <optional>
#include <vector>

#include "base/check.h"
#include "engine/runner.h"

namespace plinth::engine {

// Each page has a count of holders: sequences and the prefix cache. A page is free while nobody
// holds it.
class BlockPool {
 public:
  explicit BlockPool(std::int32_t blocks) : references_(static_cast<std::size_t>(blocks), 0) {
    for (std::int32_t i = blocks; i-- > 0;) free_.push_back(i);
  }
  std::int32_t total() const { return static_cast<std::int32_t>(references_.size()); }
  std::int32_t available() const { return static_cast<std::int32_t>(free_.size()); }
  std::int32_t references(BlockId block) const { return references_[index_of(block)]; }

  // A page with one holder, or nothing.
  std::optional<BlockId> take() {
    if (free_.empty()) return std::nullopt;
    const BlockId block(free_.back());
    free_.pop_back();
    CHECK(references_[index_of(block)] == 0);
    references_[index_of(block)] = 1;
    return block;
  }
  // One more holder of a held page.
  void share(BlockId block) {
    CHECK(references_[index_of(block)] > 0);
    ++references_[index_of(block)];
  }
  // One holder fewer; returns how many are left. At 0 the page is free.
  std::int32_t release(BlockId block) {
    auto& count = references_[index_of(block)];
    CHECK(count > 0);
    if (--count == 0) free_.push_back(block.value());
    return count;
  }

 private:
  std::size_t index_of(BlockId block) const {
    const auto index = static_cast<std::size_t>(block.value());
    CHECK(index < references_.size());
    return index;
  }
  std::vector<std::int32_t> references_;  // by page
  std::vector<std::int32_t> free_;
};

}  // namespace plinth::engine
