#include "engine/run/kv_pages.h"

#include <algorithm>

#include "tensor/ops.h"

namespace plinth::engine {

static_assert(kBlockTokens == tensor::kPageTokens);

KvPages::KvPages(const model::DecoderSpec& spec)
    : layers_(spec.layers),
      page_floats_(static_cast<std::size_t>(spec.kv_heads) *
                   static_cast<std::size_t>(spec.head_width) * kBlockTokens) {}

std::size_t KvPages::block_bytes() const {
  return page_floats_ * 2 * static_cast<std::size_t>(layers_) * sizeof(float);
}

absl::Status KvPages::allocate(std::int32_t blocks) {
  if (blocks < 1) return base::invalid_argument("[runner] no room for a single KV page");
  // calloc: pages of memory are zero and cost nothing until they are written.
  memory_.reset(static_cast<float*>(std::calloc(static_cast<std::size_t>(blocks), block_bytes())));
  if (memory_ == nullptr) return base::resource_exhausted("[runner] no memory for the KV pages");
  blocks_ = blocks;
  return absl::OkStatus();
}

void KvPages::clear(std::span<const BlockId> blocks) {
  for (const BlockId block : blocks) {
    for (int layer = 0; layer < layers_; ++layer) {
      std::fill_n(page(layer, block, 0), page_floats_ * 2, 0.0f);
    }
  }
}

float* KvPages::page(int layer, BlockId block, std::size_t which) {
  const auto index = (static_cast<std::size_t>(layer) * static_cast<std::size_t>(blocks_) +
                      static_cast<std::size_t>(block.value())) *
                         2 +
                     which;
  return memory_.get() + index * page_floats_;
}

}  // namespace plinth::engine
