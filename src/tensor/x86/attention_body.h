// Attention once, as a template of a tag and of the pages' element: each instruction set's unit
// instantiates it with its own tag and flags.
//
// Six queries by one page of 16 positions are 12 sums, 2 vectors of keys and a broadcast: 15 of the
// 16 registers, and 12 multiply-adds for 8 loads.
#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/attention.h"
#include "tensor/x86/ops_body.h"
#include "tensor/x86/vector8.h"

namespace plinth::tensor {

inline constexpr int kTilePositions = 64;
inline constexpr int kTilePages = kTilePositions / kPageTokens;
inline constexpr int kQueriesMax = 6;

template <typename Tag, typename Element>
struct AttentionBody {
  using V = Vector8Ops<Tag>;

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

  // scores[r][0..15] of kR queries over one page of keys [e, 16].
  template <int kR>
  static void page_scores(const State& state, int query, const Element* keys, float* scores) {
    const float* q[kR];
    for (int r = 0; r < kR; ++r) q[r] = state.query(query + r);
    Vector8 sum[kR][2] = {};
    const int e = state.run.head_width;
    for (int i = 0; i < e; ++i, keys += kPageTokens) {
      const Vector8 low = V::load(keys), high = V::load(keys + 8);
#pragma GCC unroll 6
      for (int r = 0; r < kR; ++r) {
        const Vector8 value = V::splat(q[r][i]);
        sum[r][0] += value * low;
        sum[r][1] += value * high;
      }
    }
    for (int r = 0; r < kR; ++r) {
      V::store(scores + r * kTilePositions, sum[r][0]);
      V::store(scores + r * kTilePositions + 8, sum[r][1]);
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

  // sums += weights * values over positions [begin, end) of the tile, for kR queries and 8 kC
  // columns from `column` on.
  template <int kR, int kC>
  static void add_values(State& state, int query, int origin, Range part, int column,
                         const float* weights) {
    float* sums = state.sums + std::int64_t{query} * state.padded + column;
    Vector8 sum[kR][kC];
    for (int r = 0; r < kR; ++r) {
      for (int c = 0; c < kC; ++c) sum[r][c] = V::load(sums + r * state.padded + 8 * c);
    }
    for (int p = part.first; p < part.last;) {
      const int position = origin + p;
      const auto* values = static_cast<const Element*>(state.run.v_pages[position / kPageTokens]) +
                           std::int64_t{position % kPageTokens} * state.padded + column;
      const int stop = p + kPageTokens - position % kPageTokens;
      for (const int end = stop < part.last ? stop : part.last; p < end;
           ++p, values += state.padded) {
        Vector8 value[kC];
#pragma GCC unroll 2
        for (int c = 0; c < kC; ++c) value[c] = V::load(values + 8 * c);
#pragma GCC unroll 6
        for (int r = 0; r < kR; ++r) {
          const Vector8 weight = V::splat(weights[r * kTilePositions + p]);
#pragma GCC unroll 2
          for (int c = 0; c < kC; ++c) sum[r][c] += weight * value[c];
        }
      }
    }
    for (int r = 0; r < kR; ++r) {
      for (int c = 0; c < kC; ++c) V::store(sums + r * state.padded + 8 * c, sum[r][c]);
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
      page_scores<kR>(state, query,
                      static_cast<const Element*>(state.run.k_pages[origin / kPageTokens + page]),
                      state.scores + page * kPageTokens);
    }
    for (int r = 0; r < kR; ++r) {
      weigh(state, query + r, origin, state.scores + r * kTilePositions);
    }
    int column = 0;
    for (; column + 16 <= state.padded; column += 16) {
      add_values<kR, 2>(state, query, origin, part, column, state.scores);
    }
    if (column < state.padded) {
      add_values<kR, 1>(state, query, origin, part, column, state.scores);
    }
  }

  static void attend(const AttentionRun& run) {
    State state(run);
    const int begin = state.range(0).first / kTilePositions * kTilePositions;
    for (int i = 0; i < kQueriesMax * kTilePositions; ++i) state.scores[i] = 0;
    for (int origin = begin; origin < run.position + run.tokens; origin += kTilePositions) {
      int query = 0;
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
