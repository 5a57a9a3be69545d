// The memory of keys and values: [layers, blocks, 2, kv_heads, one head's page], the page as
// tensor/attention.h lays it out.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/status.h"
#include "engine/runner.h"
#include "model/decoder_spec.h"
#include "tensor/attention.h"

namespace plinth::engine {

class KvPages {
 public:
  KvPages(const model::DecoderSpec& spec, tensor::KvType type);

  // Of one block, all layers.
  std::size_t block_bytes() const;
  // Once. ResourceExhausted where there is no memory.
  absl::Status allocate(std::int32_t blocks);
  std::int32_t blocks() const { return blocks_; }
  tensor::KvType type() const { return type_; }
  // One head's page.
  void* keys(int layer, BlockId block, int kv_head) { return page(layer, block, 0, kv_head); }
  void* values(int layer, BlockId block, int kv_head) { return page(layer, block, 1, kv_head); }
  void clear(std::span<const BlockId> blocks);

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::byte* page(int layer, BlockId block, std::size_t which, int kv_head);

  const std::int32_t layers_;
  const tensor::KvType type_;
  const std::size_t head_bytes_;  // of one head's page
  const std::size_t page_bytes_;  // of all heads
  std::int32_t blocks_ = 0;
  std::unique_ptr<std::byte[], Free> memory_;
};

}  // namespace plinth::engine
