// The memory of keys and values: [blocks, layers, 2, kv_heads, one head's page], the page as
// tensor/attention.h lays it out. A block's pages of all layers lie together, so that a few short
// sequences touch little memory although it comes in huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "engine/runner.h"
#include "model/decoder_spec.h"
#include "tensor/attention.h"
#include "tensor/huge_memory.h"

namespace plinth::engine {

class KvPages {
 public:
  KvPages(const model::DecoderSpec& spec, tensor::KvType type);

  // Of one block, all layers.
  std::size_t block_bytes() const { return block_bytes_; }
  // Once. ResourceExhausted where there is no memory.
  absl::Status allocate(std::int32_t blocks);
  std::int32_t blocks() const { return blocks_; }
  tensor::KvType type() const { return type_; }
  // One head's page.
  void* keys(int layer, BlockId block, int kv_head) { return page(layer, block, 0, kv_head); }
  void* values(int layer, BlockId block, int kv_head) { return page(layer, block, 1, kv_head); }
  void clear(std::span<const BlockId> blocks);

 private:
  std::uint8_t* page(int layer, BlockId block, std::size_t which, int kv_head);

  const tensor::KvType type_;
  const std::size_t head_bytes_;   // of one head's page
  const std::size_t page_bytes_;   // of all heads
  const std::size_t block_bytes_;  // of all layers
  std::int32_t blocks_ = 0;
  tensor::HugeMemory memory_;
  std::span<std::uint8_t> pages_;
};

}  // namespace plinth::engine
