#include "engine/run/kv_pages.h"

#include <cstring>

#include "base/units.h"
#include "tensor/ops.h"

namespace plinth::engine {

static_assert(kBlockTokens == tensor::kPageTokens);

namespace {

// The pages of one layer lie a block apart. Where that is a multiple of the smallest memory page,
// they would share a few sets of the caches: an odd number of lines more spreads them.
std::size_t spread(std::size_t bytes) {
  constexpr std::size_t kLine = 64, kMemoryPage = 4096;
  bytes = base::round_up(bytes, kLine);
  return bytes % kMemoryPage == 0 ? bytes + kLine : bytes;
}

}  // namespace

KvPages::KvPages(const model::DecoderSpec& spec, tensor::KvType type)
    : type_(type),
      head_bytes_(tensor::kv_page_bytes(type, spec.head_width)),
      page_bytes_(static_cast<std::size_t>(spec.kv_heads) * head_bytes_),
      block_bytes_(spread(page_bytes_ * 2 * static_cast<std::size_t>(spec.layers))) {}

absl::Status KvPages::allocate(std::int32_t blocks) {
  if (blocks < 1) return base::invalid_argument("[runner] no room for a single KV page");
  auto memory = memory_.take(static_cast<std::size_t>(blocks) * block_bytes_);
  if (!memory.ok()) return base::annotate(memory.status(), "[runner] KV pages");
  pages_ = *memory;
  blocks_ = blocks;
  return absl::OkStatus();
}

void KvPages::clear(std::span<const BlockId> blocks) {
  for (const BlockId block : blocks) std::memset(page(0, block, 0, 0), 0, block_bytes_);
}

std::uint8_t* KvPages::page(int layer, BlockId block, std::size_t which, int kv_head) {
  return pages_.data() + static_cast<std::size_t>(block.value()) * block_bytes_ +
         (static_cast<std::size_t>(layer) * 2 + which) * page_bytes_ +
         static_cast<std::size_t>(kv_head) * head_bytes_;
}

}  // namespace plinth::engine
