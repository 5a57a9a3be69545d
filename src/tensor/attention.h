// Softmax attention over paged keys and values: for one kv head, a run of consecutive tokens of one
// sequence and all query heads that share it, so that a page is read once for all of them.
//
// A query's bits depend on its own positions alone, neither on the other queries of the run nor on
// how a prompt was cut into chunks: positions are taken in tiles of 64 from position 0, with one
// running maximum and sum for each query. Milakov and Gimelshein, "Online normalizer calculation
// for softmax", 2018; Dao et al., "FlashAttention", 2022.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"
#include "tensor/isa.h"
#include "tensor/ops.h"

namespace plinth::tensor {

// How keys and values are kept. f16 halves what decoding a long context reads; magnitudes above
// fp16's range are kept as its largest.
enum class KvType : std::uint8_t { f32, f16 };

constexpr std::size_t kv_element_bytes(KvType type) { return type == KvType::f32 ? 4 : 2; }

// Elements of one page of keys or of values of one kv head of width e. Keys are stored [e, 16], so
// that 16 positions lie side by side in a vector; values [16, e rounded up to 8].
constexpr std::int64_t kv_page_elements(int head_width) {
  return std::int64_t{kPageTokens} * base::round_up(head_width, 8);
}

struct AttentionRun {
  // Query of token t and head h: q[t * ldq + h * e + i]; out alike with ldo.
  const float* q = nullptr;
  std::int64_t ldq = 0;
  float* out = nullptr;
  std::int64_t ldo = 0;
  int tokens = 1;    // at positions [position, position + tokens)
  int position = 0;  // token t attends to [first, position + t + 1)
  int window = 0;    // first = max(0, position + t + 1 - window); 0 = no window, first = 0
  int group = 1;     // query heads of this kv head
  int head_width = 0;
  float scale = 1;
  // Scores become softcap * tanh(score / softcap) before the softmax (Gemma 2); 0 = off.
  float softcap = 0;
  // Page i holds positions [16 i, 16 i + 16); pages that no token attends to may be null.
  const void* const* k_pages = nullptr;
  const void* const* v_pages = nullptr;
  float* scratch = nullptr;  // attention_scratch_floats()
};

constexpr std::size_t attention_scratch_floats(int tokens, int group, int head_width) {
  // For each query its sums and its running maximum and normaliser; a tile of scores of twelve.
  return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(group) *
             static_cast<std::size_t>(base::round_up(head_width, 8) + 2) +
         12 * 64;
}

struct AttentionKernels {
  void (*attend)(const AttentionRun& run);
  // Keeps one token's key and value [e] of one kv head as position `slot` of its pages.
  void (*store)(const float* key, const float* value, int head_width, int slot, void* k_page,
                void* v_page);
};

const AttentionKernels& attention_kernels(Isa isa, KvType type);

}  // namespace plinth::tensor
