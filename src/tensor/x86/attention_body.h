// Attention once, as a template of a tag and of the form of its pages: each instruction set's unit
// instantiates it with its own tag and flags. Tag::kLanes is 8 or 16.
//
// With 16 registers of 8 lanes, six queries by one page of 16 positions are 12 sums, 2 vectors of
// keys and a broadcast, and 12 multiply-adds for 8 loads. With 32 of 16 lanes, twelve queries are
// 12 sums of scores or 24 of values, so that half as many keys and values are widened from fp16.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

#include "tensor/x86/attention_bfloat.h"
#include "tensor/x86/attention_pages.h"
#include "tensor/x86/attention_state.h"

namespace plinth::tensor {

template <typename Tag, typename Pages>
struct AttentionBody {
  using V = Vector8Ops<Tag>;
  using State = AttentionState<Tag>;
  using Wide = typename Pages::Wide;
  static constexpr int kLanes = Tag::kLanes;

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
    AttentionRange part = {state.range(query).first - origin,
                           state.range(query + kR - 1).last - origin};
    if (part.first < 0) part.first = 0;
    if (part.last > kTilePositions) part.last = kTilePositions;
    if (part.first >= part.last) return;
    const int end = base::ceil_div(part.last, kPageTokens);
    for (int page = part.first / kPageTokens; page < end;) {
      const void* const* pages = state.run.k_pages + origin / kPageTokens + page;
      float* scores = state.scores + page * kPageTokens;
      const int count = kPagesTogether <= end - page ? kPagesTogether : 1;
      for (int i = 0; query == 0 && i < count; ++i) {
        state.fetch_ahead(Pages::kType, origin + (page + i) * kPageTokens, state.run.k_pages);
      }
      if (count == kPagesTogether) {
        Pages::template page_scores<kR, kPagesTogether>(state, query, pages, scores);
      } else {
        Pages::template page_scores<kR, 1>(state, query, pages, scores);
      }
      page += count;
    }
    for (int r = 0; r < kR; ++r) {
      Pages::weigh(state, query + r, origin, state.scores + r * kTilePositions);
    }
    int column = 0;
    for (; column + kVectorsTogether * kLanes <= state.padded;
         column += kVectorsTogether * kLanes) {
      Pages::template add_values<Wide, kR, kVectorsTogether>(state, query, origin, part, column,
                                                             state.scores);
    }
    for (; column + 2 * kLanes <= state.padded; column += 2 * kLanes) {
      Pages::template add_values<Wide, kR, 2>(state, query, origin, part, column, state.scores);
    }
    for (; column < state.padded; column += 8) {
      Pages::template add_values<Vector8, kR, 1>(state, query, origin, part, column, state.scores);
    }
  }

  static void sum_positions(State& state, int begin, int end) {
    if constexpr (requires { Pages::sum_positions(state, begin, end); }) {
      return Pages::sum_positions(state, begin, end);
    } else {
      sum_tiles(state, begin, end);
    }
  }

  static void sum_tiles(State& state, int begin, int end) {
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
    State state(run, sums);
    state.clear();
    Pages::begin(state);
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

  static void merge(const AttentionRun& run, const float* sums) {
    State all(run, run.scratch);
    all.clear();
    const auto floats = attention_sums_floats(run.tokens, run.group, run.head_width);
    for (int span = run.first_span(); span < run.end_span(); ++span, sums += floats) {
      const State next(run, const_cast<float*>(sums));  // read alone
      for (int query = 0; query < all.queries; ++query) merge_query(all, next, query);
    }
    write(all);
  }

  static void attend(const AttentionRun& run) {
    State all(run, run.scratch);
    all.clear();
    float* sums = run.scratch + attention_sums_floats(run.tokens, run.group, run.head_width);
    for (int span = run.first_span(); span < run.end_span(); ++span) {
      sum_span(run, span, sums);
      const State next(run, sums);
      for (int query = 0; query < all.queries; ++query) merge_query(all, next, query);
    }
    write(all);
  }

  static constexpr AttentionKernels kTable = {attend, sum_span, merge, Pages::store};
};

// By KvType.
using AttentionTable = std::array<AttentionKernels, kKvTypes>;
template <typename Tag>
constexpr AttentionTable attention_table() {
  return {AttentionBody<Tag, ElementPages<Tag, float>>::kTable,
          AttentionBody<Tag, ElementPages<Tag, std::uint16_t>>::kTable,
          AttentionBody<Tag, BfloatPages<Tag>>::kTable,
          AttentionBody<Tag, ElementPages<Tag, std::int8_t>>::kTable};
}

extern const AttentionTable kScalarAttention;
extern const AttentionTable kAvx2Attention;
extern const AttentionTable kAvx512Attention;
extern const AttentionKernels kBfloatAttention;  // AVX-512 with products of BF16
extern const AttentionKernels kTileAttention;    // AMX, of the same pages

}  // namespace plinth::tensor
