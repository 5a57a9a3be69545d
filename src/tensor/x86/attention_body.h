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
  static constexpr KvType kType = std::is_same_v<Element, float>           ? KvType::f32
                                  : std::is_same_v<Element, std::uint16_t> ? KvType::f16
                                                                           : KvType::q8;
  static constexpr bool kScaled = kType == KvType::q8;
  using Wide = std::conditional_t<Tag::kLanes == 16, Vector16, Vector8>;
  static constexpr int kLanes = Tag::kLanes;

  // Positions [first, last) that one query attends to.
  struct Range {
    int first, last;
  };

  // One run's sums over some positions: sums [queries, padded], then maximum and normaliser.
  struct State {
    const AttentionRun& run;
    int queries, padded;
    float* sums;
    float* top;
    float* norm;
    float* scores;  // [kQueriesMax, kTilePositions]

    State(const AttentionRun& r, float* memory, float* tile)
        : run(r),
          queries(r.tokens * r.group),
          padded(base::round_up(r.head_width, 8)),
          sums(memory),
          top(sums + std::int64_t{queries} * padded),
          norm(top + queries),
          scores(tile) {}
    void clear() {
      for (std::int64_t i = 0; i < std::int64_t{queries} * padded; ++i) sums[i] = 0;
      for (int i = 0; i < queries; ++i) top[i] = -INFINITY;
      for (int i = 0; i < queries; ++i) norm[i] = 0;
      for (int i = 0; i < kQueriesMax * kTilePositions; ++i) scores[i] = 0;
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
    const auto* page = static_cast<const std::uint8_t*>(pages[position / kPageTokens]);
    const auto bytes = static_cast<std::int64_t>(kv_page_bytes(kType, state.run.head_width));
    for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(page + i);
  }

  // The scales of q8, behind a page's elements.
  static const float* scales(const void* page, int padded) {
    return reinterpret_cast<const float*>(static_cast<const std::uint8_t*>(page) +
                                          kPageTokens * padded);
  }

  // Scores of kR queries over kPages pages of keys, side by side: enough sums that none waits for
  // its last multiply-add.
  template <int kR, int kPages>
  static void page_scores(const State& state, int query, const void* const* pages, float* scores) {
    const Element* keys[kPages];
    for (int page = 0; page < kPages; ++page) keys[page] = static_cast<const Element*>(pages[page]);
    const float* q[kR];
    for (int r = 0; r < kR; ++r) q[r] = state.query(query + r);
    constexpr int kVectors = kPageTokens / kLanes;
    Wide sum[kR][kPages][kVectors] = {};
    const int e = state.run.head_width;
    // Of all columns, or of those of one scale.
    const auto add_columns = [&](int begin, int end, const Wide(*scale)[kVectors]) {
      for (int i = begin; i < end; ++i) {
#pragma GCC unroll 4
        for (int page = 0; page < kPages; ++page) {
          Wide key[kVectors];
#pragma GCC unroll 2
          for (int v = 0; v < kVectors; ++v) {
            key[v] = V::template load_as<Wide>(keys[page] + i * kPageTokens + v * kLanes);
            if constexpr (kScaled) key[v] *= scale[page][v];
          }
#pragma GCC unroll 12
          for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) sum[r][page][v] += q[r][i] * key[v];
          }
        }
      }
    };
    if constexpr (kScaled) {
      for (int i = 0; i < e; i += kKvScaleColumns) {
        Wide d[kPages][kVectors];
        for (int page = 0; page < kPages; ++page) {
          const float* scale =
              scales(pages[page], state.padded) + i / kKvScaleColumns * kPageTokens;
          for (int v = 0; v < kVectors; ++v) {
            d[page][v] = V::template load_as<Wide>(scale + v * kLanes);
          }
        }
        add_columns(i, e < i + kKvScaleColumns ? e : i + kKvScaleColumns, d);
      }
    } else {
      add_columns(0, e, nullptr);
    }
    for (int r = 0; r < kR; ++r) {
      for (int page = 0; page < kPages; ++page) {
        for (int v = 0; v < kVectors; ++v) {
          V::store(scores + r * kTilePositions + page * kPageTokens + v * kLanes, sum[r][page][v]);
        }
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
      const void* page = state.run.v_pages[position / kPageTokens];
      const auto* values = static_cast<const Element*>(page) +
                           std::int64_t{position % kPageTokens} * state.padded + column;
      // The first of the columns taken together starts a scale's, or all are of one.
      [[maybe_unused]] const int scale_columns =
          base::ceil_div(state.run.head_width, kKvScaleColumns);
      [[maybe_unused]] const float* scale = nullptr;
      if constexpr (kScaled) {
        scale = scales(page, state.padded) + position % kPageTokens * scale_columns +
                column / kKvScaleColumns;
      }
      const int stop = p + kPageTokens - position % kPageTokens;
      if (query == 0 && column == 0) fetch_ahead(state, position, state.run.v_pages);
      for (const int end = stop < part.last ? stop : part.last; p < end;
           ++p, values += state.padded) {
        Vector value[kC];
#pragma GCC unroll 4
        for (int c = 0; c < kC; ++c) {
          value[c] = V::template load_as<Vector>(values + kWidth * c);
          if constexpr (kScaled) value[c] *= scale[kWidth * c / kKvScaleColumns];
        }
        if constexpr (kScaled) scale += scale_columns;
#pragma GCC unroll 12
        for (int r = 0; r < kR; ++r) {
          const float weight = weights[r * kTilePositions + p];
#pragma GCC unroll 4
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

  // As many sums of scores as registers hold beside the queries.
  static constexpr int pages_together(int queries) {
    if (kLanes == 16) return queries <= 4 ? 4 : queries <= 6 ? 2 : 1;
    return queries == 1 ? 4 : queries <= 3 ? 2 : 1;
  }

  // kR queries over one tile.
  template <int kR>
  static void tile(State& state, int query, int origin) {
    constexpr int kPagesTogether = pages_together(kR);
    constexpr int kVectorsTogether = kR <= (kLanes == 16 ? 4 : 3) ? 4 : 2;
    // The queries' positions grow with their index.
    Range part = {state.range(query).first - origin, state.range(query + kR - 1).last - origin};
    if (part.first < 0) part.first = 0;
    if (part.last > kTilePositions) part.last = kTilePositions;
    if (part.first >= part.last) return;
    const int end = base::ceil_div(part.last, kPageTokens);
    for (int page = part.first / kPageTokens; page < end;) {
      const void* const* pages = state.run.k_pages + origin / kPageTokens + page;
      float* scores = state.scores + page * kPageTokens;
      const int count = kPagesTogether <= end - page ? kPagesTogether : 1;
      for (int i = 0; query == 0 && i < count; ++i) {
        fetch_ahead(state, origin + (page + i) * kPageTokens, state.run.k_pages);
      }
      if (count == kPagesTogether) {
        page_scores<kR, kPagesTogether>(state, query, pages, scores);
      } else {
        page_scores<kR, 1>(state, query, pages, scores);
      }
      page += count;
    }
    for (int r = 0; r < kR; ++r) {
      weigh(state, query + r, origin, state.scores + r * kTilePositions);
    }
    int column = 0;
    for (; column + kVectorsTogether * kLanes <= state.padded;
         column += kVectorsTogether * kLanes) {
      add_values<Wide, kR, kVectorsTogether>(state, query, origin, part, column, state.scores);
    }
    for (; column + 2 * kLanes <= state.padded; column += 2 * kLanes) {
      add_values<Wide, kR, 2>(state, query, origin, part, column, state.scores);
    }
    for (; column < state.padded; column += 8) {
      add_values<Vector8, kR, 1>(state, query, origin, part, column, state.scores);
    }
  }

  static void sum_positions(State& state, int begin, int end) {
    for (int origin = begin; origin < end; origin += kTilePositions) {
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
  }

  static void sum_span(const AttentionRun& run, int span, float* sums) {
    State state(run, sums, tile_scores(run));
    state.clear();
    const int first = state.range(0).first / kTilePositions * kTilePositions;
    const int begin = span * kSpanPositions, end = begin + kSpanPositions;
    const int last = run.position + run.tokens;
    sum_positions(state, begin > first ? begin : first, end < last ? end : last);
  }

  // One query's sums over all spans so far take in those over the next one.
  static void merge_query(State& all, const State& next, int query) {
    if (next.norm[query] == 0) return;  // no position of that span
    float* sums = all.sums + std::int64_t{query} * all.padded;
    const float* add = next.sums + std::int64_t{query} * all.padded;
    const float top = all.top[query] > next.top[query] ? all.top[query] : next.top[query];
    // exp(-infinity) is 0: before the first span there is nothing.
    const float keep = OpsBody<Tag>::exp_approx(all.top[query] - top);
    const float take = OpsBody<Tag>::exp_approx(next.top[query] - top);
    for (int i = 0; i < all.padded; i += 8) {
      V::store(sums + i, V::load(sums + i) * keep + V::load(add + i) * take);
    }
    all.norm[query] = all.norm[query] * keep + next.norm[query] * take;
    all.top[query] = top;
  }

  static void write(const State& state) {
    const AttentionRun& run = state.run;
    for (int query = 0; query < state.queries; ++query) {
      const float inverse = 1.0f / state.norm[query];
      const float* sums = state.sums + std::int64_t{query} * state.padded;
      float* out = run.out + query / run.group * run.ldo + query % run.group * run.head_width;
      for (int i = 0; i < run.head_width; ++i) out[i] = sums[i] * inverse;
    }
  }

  static float* tile_scores(const AttentionRun& run) {
    return run.scratch + 2 * attention_sums_floats(run.tokens, run.group, run.head_width);
  }

  static void merge(const AttentionRun& run, const float* sums) {
    State all(run, run.scratch, tile_scores(run));
    all.clear();
    const auto floats = attention_sums_floats(run.tokens, run.group, run.head_width);
    for (int span = run.first_span(); span < run.end_span(); ++span, sums += floats) {
      const State next(run, const_cast<float*>(sums), nullptr);  // read alone
      for (int query = 0; query < all.queries; ++query) merge_query(all, next, query);
    }
    write(all);
  }

  static void attend(const AttentionRun& run) {
    State all(run, run.scratch, tile_scores(run));
    all.clear();
    float* sums = run.scratch + attention_sums_floats(run.tokens, run.group, run.head_width);
    for (int span = run.first_span(); span < run.end_span(); ++span) {
      sum_span(run, span, sums);
      const State next(run, sums, nullptr);
      for (int query = 0; query < all.queries; ++query) merge_query(all, next, query);
    }
    write(all);
  }

  // The columns of one scale, `stride` elements apart. Returns the scale.
  static float put_scaled(const float* from, int count, Element* to, int stride) {
    float largest = 0;
    for (int i = 0; i < count; ++i) {
      const float size = std::fabs(V::bounded(from[i]));
      largest = size > largest ? size : largest;
    }
    const float inverse = largest > 0 ? 127.0f / largest : 0;
    for (int i = 0; i < count; ++i) {
      to[i * stride] = static_cast<Element>(std::nearbyint(V::bounded(from[i]) * inverse));
    }
    return largest / 127.0f;
  }

  static void store(const float* key, const float* value, int head_width, int slot, void* k_page,
                    void* v_page) {
    const int padded = base::round_up(head_width, 8);
    auto* keys = static_cast<Element*>(k_page) + slot;
    auto* values = static_cast<Element*>(v_page) + std::int64_t{slot} * padded;
    if constexpr (kScaled) {
      const int groups = base::ceil_div(head_width, kKvScaleColumns);
      auto* key_scales = const_cast<float*>(scales(k_page, padded)) + slot;
      auto* value_scales = const_cast<float*>(scales(v_page, padded)) + slot * groups;
      for (int g = 0; g < groups; ++g) {
        const int first = g * kKvScaleColumns, rest = head_width - first;
        const int count = rest < kKvScaleColumns ? rest : kKvScaleColumns;
        key_scales[g * kPageTokens] =
            put_scaled(key + first, count, keys + first * kPageTokens, kPageTokens);
        value_scales[g] = put_scaled(value + first, count, values + first, 1);
      }
    } else {
      for (int i = 0; i < head_width; ++i) V::put(keys + i * kPageTokens, key[i]);
      for (int i = 0; i < head_width; ++i) V::put(values + i, value[i]);
    }
  }

  static constexpr AttentionKernels kTable = {attend, sum_span, merge, store};
};

// By KvType.
extern const AttentionKernels kScalarAttention[kKvTypes];
extern const AttentionKernels kAvx2Attention[kKvTypes];
extern const AttentionKernels kAvx512Attention[kKvTypes];

}  // namespace plinth::tensor
