// The memory of keys and values: [layers, blocks, 2, kv_heads, kBlockTokens, head_width] fp32.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/status.h"
#include "engine/runner.h"
#include "model/decoder_spec.h"

namespace plinth::engine {

class KvPages {
 public:
  explicit KvPages(const model::DecoderSpec& spec);

  // Of one block, all layers.
  std::size_t block_bytes() const;
  // Once. ResourceExhausted where there is no memory.
  absl::Status allocate(std::int32_t blocks);
  std::int32_t blocks() const { return blocks_; }
  // One page, [kv_heads, kBlockTokens, head_width].
  float* keys(int layer, BlockId block) { return page(layer, block, 0); }
  float* values(int layer, BlockId block) { return page(layer, block, 1); }
  void clear(std::span<const BlockId> blocks);

 private:
  struct Free {
    void operator()(float* memory) const { std::free(memory); }
  };
  float* page(int layer, BlockId block, std::size_t which);

  const std::int32_t layers_;
  const std::size_t page_floats_;
  std::int32_t blocks_ = 0;
  std::unique_ptr<float[], Free> memory_;
};

}  // namespace plinth::engine
