// Keys and values as fp32, fp16 or 8-bit integers, which are widened to fp32 and multiplied there.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "tensor/x86/attention_state.h"
#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

template <typename Tag, typename Element>
struct ElementPages {
  using V = Vector8Ops<Tag>;
  using State = AttentionState<Tag>;
  using Wide = std::conditional_t<Tag::kLanes == 16, Vector16, Vector8>;
  static constexpr KvType kType = std::is_same_v<Element, float>           ? KvType::f32
                                  : std::is_same_v<Element, std::uint16_t> ? KvType::f16
                                                                           : KvType::q8;
  static constexpr bool kScaled = kType == KvType::q8;
  static constexpr int kLanes = Tag::kLanes;

  static void begin(State&) {}

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
    const AttentionRange range = state.range(query);
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
    if (now != old) state.scale(query, OpsBody<Tag>::exp_approx(old - now));
    state.top[query] = now;
    state.norm[query] += V::sum(total);
  }

  // sums += weights * values over positions [begin, end) of the tile, for kR queries and kC vectors
  // of columns from `column` on.
  template <typename Vector, int kR, int kC>
  static void add_values(State& state, int query, int origin, AttentionRange part, int column,
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
      if (query == 0 && column == 0) state.fetch_ahead(kType, position, state.run.v_pages);
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
};

}  // namespace plinth::tensor
