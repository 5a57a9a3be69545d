#include "engine/run/kv_pages.h"

#include <cstring>

#include "tensor/ops.h"

namespace plinth::engine {

static_assert(kBlockTokens == tensor::kPageTokens);

KvPages::KvPages(const model::DecoderSpec& spec, tensor::KvType type)
    : layers_(spec.layers),
      type_(type),
      head_bytes_(static_cast<std::size_t>(tensor::kv_page_elements(spec.head_width)) *
                  tensor::kv_element_bytes(type)),
      page_bytes_(static_cast<std::size_t>(spec.kv_heads) * head_bytes_) {}

std::size_t KvPages::block_bytes() const {
  return page_bytes_ * 2 * static_cast<std::size_t>(layers_);
}

absl::Status KvPages::allocate(std::int32_t blocks) {
  if (blocks < 1) return base::invalid_argument("[runner] no room for a single KV page");
  // calloc: pages of memory are zero and cost nothing until they are written.
  memory_.reset(
      static_cast<std::byte*>(std::calloc(static_cast<std::size_t>(blocks), block_bytes())));
  if (memory_ == nullptr) return base::resource_exhausted("[runner] no memory for the KV pages");
  blocks_ = blocks;
  return absl::OkStatus();
}

void KvPages::clear(std::span<const BlockId> blocks) {
  for (const BlockId block : blocks) {
    for (int layer = 0; layer < layers_; ++layer) {
      std::memset(page(layer, block, 0, 0), 0, page_bytes_ * 2);
    }
  }
}

std::byte* KvPages::page(int layer, BlockId block, std::size_t which, int kv_head) {
  const auto index = (static_cast<std::size_t>(layer) * static_cast<std::size_t>(blocks_) +
                      static_cast<std::size_t>(block.value())) *
                         2 +
                     which;
  return memory_.get() + index * page_bytes_ + static_cast<std::size_t>(kv_head) * head_bytes_;
}

}  // namespace plinth::engine
