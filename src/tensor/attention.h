// Softmax attention over paged keys and values: for one kv head, a run of consecutive tokens of one
// sequence and all query heads that share it, so that a page is read once for all of them.
//
// A query's bits depend on its own positions alone, neither on the other queries of the run nor on
// how a prompt was cut into chunks: positions are taken in tiles of 64 from position 0, with one
// running maximum and sum for each query; spans of 1,024 positions are summed apart and merged in
// order, so that several threads may share one query of a long context. Milakov and Gimelshein,
// "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"
#include "tensor/isa.h"
#include "tensor/ops.h"

namespace plinth::tensor {

// How keys and values are kept. f16 halves what decoding a long context reads. bf16 takes as much
// and is multiplied as it is where multiplies_bfloat() holds, with queries and weights rounded to
// BF16 too: twice as fast for prompts. Both keep magnitudes above fp16's range as its largest. q8
// halves the memory again: integers of 8 bits, and one fp32 scale for each 32 columns of a
// position.
enum class KvType : std::uint8_t { f32, f16, bf16, q8 };
inline constexpr int kKvTypes = 4;
// The fastest on this machine.
KvType best_kv_type(Isa isa);
std::string_view kv_type_name(KvType type);
std::optional<KvType> kv_type_named(std::string_view name);
inline constexpr int kKvScaleColumns = 32;

// Bytes of one page of keys or of values of one kv head of width e. Keys are stored [e, 16], so
// that 16 positions lie side by side in a vector; values [16, e rounded up to 8]. The scales of q8
// follow: [ceil(e / 32), 16] of keys, [16, ceil(e / 32)] of values. bf16 has pairs of columns of
// keys, [ceil(e / 2), 16, 2], and pairs of positions of values, [8, e rounded up to 8, 2].
constexpr std::size_t kv_page_bytes(KvType type, int head_width) {
  const auto elements = static_cast<std::size_t>(kPageTokens * base::round_up(head_width, 8));
  if (type != KvType::q8) return elements * (type == KvType::f32 ? 4 : 2);
  const auto scales =
      static_cast<std::size_t>(kPageTokens * base::ceil_div(head_width, kKvScaleColumns));
  return elements + scales * sizeof(float);
}

// Positions that are summed apart, counted from position 0: a multiple of 64.
inline constexpr int kSpanPositions = 1024;

struct AttentionRun {
  // Query of token t and head h: q[t * ldq + h * e + i]; out alike with ldo.
  const float* q = nullptr;
  std::int64_t ldq = 0;
  float* out = nullptr;
  std::int64_t ldo = 0;
  int tokens = 1;      // at positions [position, position + tokens)
  int position = 0;    // token t attends to [first, position + t + 1), or
  bool causal = true;  // where this is false, to [first, position + tokens)
  int window = 0;      // first = max(0, position + t + 1 - window); 0 = no window, first = 0
  int group = 1;       // query heads of this kv head
  int head_width = 0;
  float scale = 1;
  // Scores become softcap * tanh(score / softcap) before the softmax (Gemma 2); 0 = off.
  float softcap = 0;
  // Page i holds positions [16 i, 16 i + 16); pages that no token attends to may be null.
  const void* const* k_pages = nullptr;
  const void* const* v_pages = nullptr;
  float* scratch = nullptr;  // attention_scratch_floats()

  // Spans that hold positions the run attends to: [first_span, end_span).
  int first_span() const {
    return window > 0 && position + 1 > window ? (position + 1 - window) / kSpanPositions : 0;
  }
  int end_span() const { return base::ceil_div(position + tokens, kSpanPositions); }
};

// The sums of a run's queries over some positions: for each query its weighted values, and its
// maximum and normaliser.
constexpr std::size_t attention_sums_floats(int tokens, int group, int head_width) {
  return static_cast<std::size_t>(tokens) * static_cast<std::size_t>(group) *
         static_cast<std::size_t>(base::round_up(head_width, 8) + 2);
}

// Queries that share one pass over a page, at most.
inline constexpr int kAttentionQueries = 16;

constexpr std::size_t attention_scratch_floats(int tokens, int group, int head_width) {
  // The sums of all spans so far and of one; the queries in half the size; a tile of scores, and
  // the values of its positions in half the size, which begin at a cache line.
  const auto sums = attention_sums_floats(tokens, group, head_width);
  const auto values = 32 * static_cast<std::size_t>(base::round_up(head_width, 8));
  return 2 * sums + sums / 2 + kAttentionQueries * 64 + values + 16;
}

struct AttentionKernels {
  // The whole run on the calling thread.
  void (*attend)(const AttentionRun& run);
  // The same in two steps, whose bits are the same: the sums of each span, by any threads, then the
  // run's output out of those of all its spans, which lie one after another.
  void (*sum_span)(const AttentionRun& run, int span, float* sums);
  void (*merge)(const AttentionRun& run, const float* sums);
  // Keeps one token's key and value [e] of one kv head as position `slot` of its pages.
  void (*store)(const float* key, const float* value, int head_width, int slot, void* k_page,
                void* v_page);
};

const AttentionKernels& attention_kernels(Isa isa, KvType type);
// Those for bulk rows (tensor/linear.h): the same pages in another arithmetic where that is faster,
// with tiles of BF16 on AMX.
const AttentionKernels& bulk_attention_kernels(Isa isa, KvType type);

}  // namespace plinth::tensor
