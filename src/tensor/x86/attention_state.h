// One run's sums under way, which every form of keys and values shares.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/attention.h"
#include "tensor/x86/vector8.h"

namespace plinth::tensor {

inline constexpr int kTilePositions = 64;
inline constexpr int kTilePages = kTilePositions / kPageTokens;

// Positions [first, last) that one query attends to.
struct AttentionRange {
  int first, last;
};

// A run's sums over some positions: sums [queries, padded], then maximum and normaliser. A template
// of a tag, so that units with different flags share no instantiation.
template <typename Tag>
struct AttentionState {
  const AttentionRun& run;
  int queries, padded;
  float* sums;
  float* top;
  float* norm;
  std::uint16_t* rounded;  // the queries in BF16, [queries, padded], where the pages want them
  float* scores;           // [kAttentionQueries, kTilePositions]
  float* values;           // [kTilePositions, padded] in BF16, where the pages want them together

  AttentionState(const AttentionRun& r, float* memory)
      : run(r),
        queries(r.tokens * r.group),
        padded(base::round_up(r.head_width, 8)),
        sums(memory),
        top(sums + std::int64_t{queries} * padded),
        norm(top + queries),
        rounded(reinterpret_cast<std::uint16_t*>(
            r.scratch + 2 * attention_sums_floats(r.tokens, r.group, r.head_width))),
        scores(at_cache_line(reinterpret_cast<float*>(rounded) +
                             attention_sums_floats(r.tokens, r.group, r.head_width) / 2)),
        values(scores + kAttentionQueries * kTilePositions) {}
  static float* at_cache_line(float* at) {
    return reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(at) + 63) &
                                    ~std::uintptr_t{63});
  }
  void clear() {
    for (std::int64_t i = 0; i < std::int64_t{queries} * padded; ++i) sums[i] = 0;
    for (int i = 0; i < queries; ++i) top[i] = -INFINITY;
    for (int i = 0; i < queries; ++i) norm[i] = 0;
    for (int i = 0; i < kAttentionQueries * kTilePositions; ++i) scores[i] = 0;
  }
  AttentionRange range(int query) const {
    const int last = run.position + (run.causal ? query / run.group + 1 : run.tokens);
    return {run.window > 0 && last > run.window ? last - run.window : 0, last};
  }
  const float* query(int index) const {
    return run.q + index / run.group * run.ldq + index % run.group * run.head_width;
  }
  // A query's sums so far count for less where a tile has a new maximum.
  void scale(int query, float factor) {
    norm[query] *= factor;
    float* row = sums + std::int64_t{query} * padded;
    for (int i = 0; i < padded; ++i) row[i] *= factor;
  }

  // Pages lie apart, where the hardware does not run ahead: the first queries of a tile fetch the
  // page that lies one tile further.
  void fetch_ahead(KvType type, int position, const void* const* pages) const {
    position += kTilePositions;
    if (position >= run.position + run.tokens) return;
    const auto* page = static_cast<const std::uint8_t*>(pages[position / kPageTokens]);
    const auto bytes = static_cast<std::int64_t>(kv_page_bytes(type, run.head_width));
    for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(page + i);
  }
};

}  // namespace plinth::tensor
