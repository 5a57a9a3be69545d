// Attention once, as a template of a tag and of the pages' element: each instruction set's unit
// instantiates it with its own tag and flags. Tag::kLanes is 8 or 16; a query's sums are the same
// for both, since no lane ever meets another before the tile's weights, which take eight.
//
// With 16 registers of 8 lanes, six queries by one page of 16 positions are 12 sums, 2 vectors of
// keys and a broadcast, and 12 multiply-adds for 8 loads. With 32 of 16 lanes, twelve queries are
// 12 sums of scores or 24 of values, so that half as many keys and values are widened from fp16.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "tensor/attention.h"
#include "tensor/x86/ops_body.h"
#include "tensor/x86/vector8.h"

namespace plinth::tensor {

inline constexpr int kTilePositions = 64;
inline constexpr int kTilePages = kTilePositions / kPageTokens;
inline constexpr int kQueriesMax = 12;

template <typename Tag, typename Element>
struct AttentionBody {
  using V = Vector8Ops<Tag>;
  using Wide = std::conditional_t<Tag::kLanes == 16, Vector16, Vector8>;
  static constexpr int kLanes = Tag::kLanes;

  // Positions [first, last) that one query attends to.
  struct Range {
    int first, last;
  };

  // One run with its scratch laid out: sums [queries, padded], then maximum and normaliser.
  struct State {
    const AttentionRun& run;
    int queries, padded;
    float* sums;
    float* top;
    float* norm;
    float* scores;  // [kQueriesMax, kTilePositions]

    explicit State(const AttentionRun& r)
        : run(r),
          queries(r.tokens * r.group),
          padded(base::round_up(r.head_width, 8)),
          sums(r.scratch),
          top(sums + std::int64_t{queries} * padded),
          norm(top + queries),
          scores(norm + queries) {
      for (std::int64_t i = 0; i < std::int64_t{queries} * padded; ++i) sums[i] = 0;
      for (int i = 0; i < queries; ++i) top[i] = -INFINITY;
      for (int i = 0; i < queries; ++i) norm[i] = 0;
    }
    Range range(int query) const {
      const int last = run.position + query / run.group + 1;
      return {run.window > 0 && last > run.window ? last - run.window : 0, last};
    }
    const float* query(int index) const {
      return run.q + index / run.group * run.ldq + index % run.group * run.head_width;
    }
  };

  // Pages lie apart, where the hardware does not run ahead: the first queries of a tile fetch the
  // page that lies one tile further.
  static void fetch_ahead(const State& state, int position, const void* const* pages) {
    position += kTilePositions;
    if (position >= state.run.position + state.run.tokens) return;
    const auto* page = static_cast<const Element*>(pages[position / kPageTokens]);
    const std::int64_t elements = std::int64_t{state.run.head_width} * kPageTokens;
    constexpr std::int64_t kLine = 64 / sizeof(Element);
    for (std::int64_t i = 0; i < elements; i += kLine) __builtin_prefetch(page + i);
  }

  // scores[r][0..15] of kR queries over one page of keys [e, 16].
  template <int kR>
  static void page_scores(const State& state, int query, const Element* keys, float* scores) {
    const float* q[kR];
    for (int r = 0; r < kR; ++r) q[r] = state.query(query + r);
    constexpr int kVectors = kPageTokens / kLanes;
    Wide sum[kR][kVectors] = {};
    const int e = state.run.head_width;
    for (int i = 0; i < e; ++i, keys += kPageTokens) {
      Wide key[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) key[v] = V::template load_as<Wide>(keys + v * kLanes);
#pragma GCC unroll 12
      for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sum[r][v] += q[r][i] * key[v];
      }
    }
    for (int r = 0; r < kR; ++r) {
      for (int v = 0; v < kVectors; ++v) {
        V::store(scores + r * kTilePositions + v * kLanes, sum[r][v]);
      }
    }
  }

  // Raw scores of one query over a tile that starts at `origin` become weights; its sums are scaled
  // to the new maximum.
  static void weigh(State& state, int query, int origin, float* scores) {
    const Range range = state.range(query);
    const Int8x32 lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    const Vector8 nothing = V::splat(-INFINITY);
    Vector8 tile[kTilePositions / 8], top = nothing;
    for (int i = 0; i < kTilePositions / 8; ++i) {
      Vector8 v = V::load(scores + 8 * i) * state.run.scale;
      if (const float cap = state.run.softcap; cap > 0) {
        v = cap * OpsBody<Tag>::tanh_approx(v * (1.0f / cap));
      }
      const Int8x32 at = lanes + (origin + 8 * i);
      v = at < range.first ? nothing : v;
      v = at < range.last ? v : nothing;
      top = v > top ? v : top;
      tile[i] = v;
    }
    const float largest = V::largest(top);
    if (largest == -INFINITY) {  // nothing of this tile
      for (int i = 0; i < kTilePositions; ++i) scores[i] = 0;
      return;
    }
    const float old = state.top[query];
    const float now = largest > old ? largest : old;
    Vector8 total = {};
    for (int i = 0; i < kTilePositions / 8; ++i) {
      const Vector8 weight = V::exp(tile[i] - now);
      V::store(scores + 8 * i, weight);
      total += weight;
    }
    float& norm = state.norm[query];
    if (now != old) {
      const float factor = OpsBody<Tag>::exp_approx(old - now);
      norm *= factor;
      float* sums = state.sums + std::int64_t{query} * state.padded;
      for (int i = 0; i < state.padded; ++i) sums[i] *= factor;
      state.top[query] = now;
    }
    norm += V::sum(total);
  }

  // sums += weights * values over positions [begin, end) of the tile, for kR queries and kC vectors
  // of columns from `column` on.
  template <typename Vector, int kR, int kC>
  static void add_values(State& state, int query, int origin, Range part, int column,
                         const float* weights) {
    float* sums = state.sums + std::int64_t{query} * state.padded + column;
    constexpr int kWidth = sizeof(Vector) / sizeof(float);
    Vector sum[kR][kC];
    for (int r = 0; r < kR; ++r) {
      for (int c = 0; c < kC; ++c) {
        sum[r][c] = V::template load_as<Vector>(sums + r * state.padded + kWidth * c);
      }
    }
    for (int p = part.first; p < part.last;) {
      const int position = origin + p;
      const auto* values = static_cast<const Element*>(state.run.v_pages[position / kPageTokens]) +
                           std::int64_t{position % kPageTokens} * state.padded + column;
      const int stop = p + kPageTokens - position % kPageTokens;
      if (query == 0 && column == 0) fetch_ahead(state, position, state.run.v_pages);
      for (const int end = stop < part.last ? stop : part.last; p < end;
           ++p, values += state.padded) {
        Vector value[kC];
#pragma GCC unroll 2
        for (int c = 0; c < kC; ++c) {
          value[c] = V::template load_as<Vector>(values + kWidth * c);
        }
#pragma GCC unroll 12
        for (int r = 0; r < kR; ++r) {
          const float weight = weights[r * kTilePositions + p];
#pragma GCC unroll 2
          for (int c = 0; c < kC; ++c) sum[r][c] += weight * value[c];
        }
      }
    }
    for (int r = 0; r < kR; ++r) {
      for (int c = 0; c < kC; ++c) {
        V::store(sums + r * state.padded + kWidth * c, sum[r][c]);
      }
    }
  }

  // kR queries over one tile.
  template <int kR>
  static void tile(State& state, int query, int origin) {
    // The queries' positions grow with their index.
    Range part = {state.range(query).first - origin, state.range(query + kR - 1).last - origin};
    if (part.first < 0) part.first = 0;
    if (part.last > kTilePositions) part.last = kTilePositions;
    if (part.first >= part.last) return;
    for (int page = part.first / kPageTokens; page * kPageTokens < part.last; ++page) {
      if (query == 0) {
        fetch_ahead(state, origin + page * kPageTokens, state.run.k_pages);
      }
      page_scores<kR>(state, query,
                      static_cast<const Element*>(state.run.k_pages[origin / kPageTokens + page]),
                      state.scores + page * kPageTokens);
    }
    for (int r = 0; r < kR; ++r) {
      weigh(state, query + r, origin, state.scores + r * kTilePositions);
    }
    int column = 0;
    for (; column + 2 * kLanes <= state.padded; column += 2 * kLanes) {
      add_values<Wide, kR, 2>(state, query, origin, part, column, state.scores);
    }
    for (; column < state.padded; column += 8) {
      add_values<Vector8, kR, 1>(state, query, origin, part, column, state.scores);
    }
  }

  static void attend(const AttentionRun& run) {
    State state(run);
    const int begin = state.range(0).first / kTilePositions * kTilePositions;
    for (int i = 0; i < kQueriesMax * kTilePositions; ++i) state.scores[i] = 0;
    for (int origin = begin; origin < run.position + run.tokens; origin += kTilePositions) {
      int query = 0;
      if constexpr (kLanes == 16) {
        for (; query + 12 <= state.queries; query += 12) tile<12>(state, query, origin);
      }
      for (; query + 6 <= state.queries; query += 6) tile<6>(state, query, origin);
      for (; query + 4 <= state.queries; query += 4) tile<4>(state, query, origin);
      if (query + 3 == state.queries) tile<3>(state, query, origin);
      if (query + 2 == state.queries) tile<2>(state, query, origin);
      if (query + 1 == state.queries) tile<1>(state, query, origin);
    }
    for (int query = 0; query < state.queries; ++query) {
      const float inverse = 1.0f / state.norm[query];
      const float* sums = state.sums + std::int64_t{query} * state.padded;
      float* out = run.out + query / run.group * run.ldo + query % run.group * run.head_width;
      for (int i = 0; i < run.head_width; ++i) out[i] = sums[i] * inverse;
    }
  }

  static void store(const float* key, const float* value, int head_width, int slot, void* k_page,
                    void* v_page) {
    auto* keys = static_cast<Element*>(k_page) + slot;
    auto* values =
        static_cast<Element*>(v_page) + std::int64_t{slot} * base::round_up(head_width, 8);
    for (int i = 0; i < head_width; ++i) V::put(keys + i * kPageTokens, key[i]);
    for (int i = 0; i < head_width; ++i) V::put(values + i, value[i]);
  }

  static constexpr AttentionKernels kTable = {attend, store};
};

// By KvType.
extern const AttentionKernels kScalarAttention[2];
extern const AttentionKernels kAvx2Attention[2];
extern const AttentionKernels kAvx512Attention[2];

}  // namespace plinth::tensor
