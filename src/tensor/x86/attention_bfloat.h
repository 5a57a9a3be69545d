// Keys and values as BF16 in pairs, which one instruction multiplies where Tag::kBfloat says so
// (VDPBF16PS: twice the rate of fp32, and nothing is widened). Elsewhere both halves of each lane
// are widened and multiplied in fp32.
//
// Queries and the softmax's weights are rounded to BF16 too, and the normaliser sums the rounded
// weights.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tensor/x86/attention_state.h"
#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

template <typename Tag>
struct BfloatPages {
  using V = Vector8Ops<Tag>;
  using State = AttentionState<Tag>;
  using Wide = std::conditional_t<Tag::kLanes == 16, Vector16, Vector8>;
  using Ints = std::conditional_t<Tag::kLanes == 16, Int16x32, Int8x32>;
  static constexpr KvType kType = KvType::bf16;
  static constexpr int kLanes = Tag::kLanes;

  // To nearest, ties to even. Of a vector's bits, those of BF16 are the lower half of each lane.
  static std::uint16_t round(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  static Ints round(Ints bits) { return (bits + 0x7fff + (bits >> 16 & 1)) >> 16; }
  static void put_rounded(Ints bits, std::uint16_t* to) {
#ifdef __AVX512F__
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm512_maskz_cvtepi32_epi16(0xffff, reinterpret_cast<__m512i>(bits)));
#else
    for (int l = 0; l < kLanes; ++l) to[l] = static_cast<std::uint16_t>(bits[l]);
#endif
  }

  static void begin(State& state) {
    const int e = state.run.head_width;
    for (int query = 0; query < state.queries; ++query) {
      const float* q = state.query(query);
      std::uint16_t* to = state.rounded + std::int64_t{query} * state.padded;
      for (int i = 0; i < e; ++i) to[i] = round(q[i]);
      for (int i = e; i < state.padded; ++i) to[i] = 0;
    }
  }

  template <typename Vector>
  static Vector load(const void* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }

  // sum + lane's pair * the pair at `q`. By value: GCC 12 keeps an array that an assembler operand
  // refers to in memory.
  template <typename Vector, typename Pairs>
  [[gnu::always_inline]] static Vector add_pairs(Vector sum, Pairs pairs, const std::uint16_t* q) {
    if constexpr (Tag::kBfloat && sizeof(Vector) == sizeof(Vector16)) {
      // The memory operand broadcasts: by itself that takes a port that multiplies (Zen 4).
      using Pair = const std::uint16_t(*)[2];
      __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(pairs), "m"(*Pair(q)));
    } else if constexpr (Tag::kBfloat) {
      using Pair = const std::uint16_t(*)[2];
      __asm__("vdpbf16ps %2%{1to8%}, %1, %0" : "+v"(sum) : "v"(pairs), "m"(*Pair(q)));
    } else {
      const Pairs even = pairs << 16, odd = (pairs >> 16) << 16;
      sum += quant::bf16_to_f32(q[1]) * reinterpret_cast<Vector>(odd);
      sum += quant::bf16_to_f32(q[0]) * reinterpret_cast<Vector>(even);
    }
    return sum;
  }

  template <int kR, int kPages>
  static void page_scores(const State& state, int query, const void* const* pages, float* scores) {
    constexpr int kVectors = kPageTokens / kLanes;
    const std::uint8_t* keys[kPages];
    for (int page = 0; page < kPages; ++page) {
      keys[page] = static_cast<const std::uint8_t*>(pages[page]);
    }
    const std::uint16_t* q = state.rounded + std::int64_t{query} * state.padded;
    Wide sum[kR][kPages][kVectors] = {};
    for (int i = 0; i < state.run.head_width; i += 2) {
#pragma GCC unroll 4
      for (int page = 0; page < kPages; ++page) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          const auto key = load<Ints>(keys[page] + (i * kPageTokens + 2 * v * kLanes) * 2);
#pragma GCC unroll 12
          for (int r = 0; r < kR; ++r) {
            sum[r][page][v] = add_pairs(sum[r][page][v], key, q + r * state.padded + i);
          }
        }
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
      for (int page = 0; page < kPages; ++page) {
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) {
          V::store(scores + r * kTilePositions + page * kPageTokens + v * kLanes, sum[r][page][v]);
        }
      }
    }
  }

  static Wide splat(float x) { return Wide{} + x; }

  // 2^x for x <= 0 within 1.1e-4, a twentieth of what rounding to BF16 costs; 1 at 0, and 0 below
  // -125.
  static Wide exp2(Wide x) {
    const Wide low = splat(-125.0f), magic = splat(12582912.0f);  // 1.5 * 2^23
    const Wide clamped = x < low ? low : x;
    const Wide shifted = clamped + magic;
    const Wide n = shifted - magic;
    const Wide f = clamped - n;
    Wide p = splat(5.5009170e-2f);
    p = p * f + 2.4221161e-1f;
    p = p * f + 6.9328297e-1f;
    p = p * f + 1.0f;
#ifdef __AVX512F__
    const auto value = reinterpret_cast<Wide>(
        _mm512_maskz_scalef_ps(0xffff, reinterpret_cast<__m512>(p), reinterpret_cast<__m512>(n)));
#else
    const Ints power = reinterpret_cast<Ints>(shifted) << 23;
    const auto value = reinterpret_cast<Wide>(reinterpret_cast<Ints>(p) + power);
#endif
    return x < low ? Wide{} : value;
  }

  // Raw scores of one query over a tile that starts at `origin` become weights in BF16, the first
  // half of the same memory.
  static void weigh(State& state, int query, int origin, float* scores) {
    constexpr int kVectors = kTilePositions / kLanes;
    const AttentionRange range = state.range(query);
    const Wide nothing = splat(-INFINITY);
    Wide tile[kVectors];
    for (int i = 0; i < kVectors; ++i) {
      tile[i] = load<Wide>(scores + i * kLanes) * state.run.scale;
    }
    if (const float cap = state.run.softcap; cap > 0) {
      for (auto& v : tile) v = capped(v, cap);
    }
    if (range.first > origin || range.last < origin + kTilePositions) {
      Ints lanes;
      for (int i = 0; i < kLanes; ++i) lanes[i] = origin + i;
      for (int i = 0; i < kVectors; ++i, lanes += kLanes) {
        tile[i] = lanes < range.first ? nothing : tile[i];
        tile[i] = lanes < range.last ? tile[i] : nothing;
      }
    }
    Wide top = tile[0];
    for (int i = 1; i < kVectors; ++i) top = tile[i] > top ? tile[i] : top;
    const float largest = largest_of(top);
    auto* weights = reinterpret_cast<std::uint16_t*>(scores);
    if (largest == -INFINITY) {  // nothing of this tile
      for (int i = 0; i < kTilePositions; ++i) weights[i] = 0;
      return;
    }
    if (const float old = state.top[query]; largest > old) {
      state.scale(query, OpsBody<Tag>::exp_approx(old - largest));
      state.top[query] = largest;
    }
    constexpr float kLog2E = 1.44269504f;
    const float zero = state.top[query] * kLog2E;
    for (auto& v : tile) v = exp2(v * kLog2E - zero);
    state.norm[query] += put_weights(tile, weights);
  }

  // Stores them rounded, and returns the sum of what was stored.
  static float put_weights(const Wide* tile, std::uint16_t* to) {
    Wide total = {};
#ifdef __AVX512BF16__
    for (int i = 0; i < kTilePositions / kLanes; i += 2) {
      const __m512bh both = _mm512_cvtne2ps_pbh(reinterpret_cast<__m512>(tile[i + 1]),
                                                reinterpret_cast<__m512>(tile[i]));
      std::memcpy(to + i * kLanes, &both, sizeof both);
      const auto ones = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
      total = reinterpret_cast<Wide>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(total), both, ones));
    }
#else
    for (int i = 0; i < kTilePositions / kLanes; ++i) {
      const Ints bits = round(reinterpret_cast<Ints>(tile[i]));
      put_rounded(bits, to + i * kLanes);
      total += reinterpret_cast<Wide>(bits << 16);
    }
#endif
    return sum_of(total);
  }

  // Of a vector of 16, its half from lane kFirst on.
  template <int kFirst>
  static Vector8 half(Wide v) {
    return __builtin_shufflevector(v, v, kFirst, kFirst + 1, kFirst + 2, kFirst + 3, kFirst + 4,
                                   kFirst + 5, kFirst + 6, kFirst + 7);
  }
  static float largest_of(Wide v) {
    if constexpr (kLanes == 8) return V::largest(v);
    const Vector8 low = half<0>(v), high = half<kLanes - 8>(v);
    return V::largest(low > high ? low : high);
  }
  static float sum_of(Wide v) {
    if constexpr (kLanes == 8) return V::sum(v);
    return V::sum(half<0>(v) + half<kLanes - 8>(v));
  }
  static Wide capped(Wide v, float cap) {
    float lanes[kLanes];
    V::store(lanes, v);
    for (int i = 0; i < kLanes; i += 8) {
      V::store(lanes + i, cap * OpsBody<Tag>::tanh_approx(V::load(lanes + i) * (1.0f / cap)));
    }
    return load<Wide>(lanes);
  }

  template <typename Vector, int kR, int kC>
  static void add_values(State& state, int query, int origin, AttentionRange part, int column,
                         const float* scores) {
    constexpr int kWidth = sizeof(Vector) / sizeof(float);
    using Pairs = std::conditional_t<kWidth == 16, Int16x32, Int8x32>;
    const auto* weights = reinterpret_cast<const std::uint16_t*>(scores);
    float* sums = state.sums + std::int64_t{query} * state.padded + column;
    Vector sum[kR][kC];
#pragma GCC unroll 12
    for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < kC; ++c) {
        sum[r][c] = load<Vector>(sums + r * state.padded + kWidth * c);
      }
    }
    for (int p = part.first & ~1; p < part.last;) {
      const int position = origin + p;
      const auto* page =
          static_cast<const std::uint16_t*>(state.run.v_pages[position / kPageTokens]);
      const std::uint16_t* values =
          page + std::int64_t{position % kPageTokens} * state.padded + 2 * column;
      const int stop = p + kPageTokens - position % kPageTokens;
      if (query == 0 && column == 0) state.fetch_ahead(kType, position, state.run.v_pages);
      for (const int end = stop < part.last ? stop : part.last; p < end;
           p += 2, values += 2 * state.padded) {
        // A pair's second position may not have been written yet.
        const int kept = p + 1 == part.last ? 0xffff : -1;
#pragma GCC unroll 4
        for (int c = 0; c < kC; ++c) {
          const auto pairs = load<Pairs>(values + 2 * kWidth * c) & kept;
#pragma GCC unroll 12
          for (int r = 0; r < kR; ++r) {
            sum[r][c] = add_pairs(sum[r][c], pairs, weights + r * 2 * kTilePositions + p);
          }
        }
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < kR; ++r) {
#pragma GCC unroll 4
      for (int c = 0; c < kC; ++c) {
        V::store(sums + r * state.padded + kWidth * c, sum[r][c]);
      }
    }
  }

  static void round_bounded(const float* from, int count, std::uint16_t* to) {
    const Wide most = splat(65504.0f);
    int i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      auto v = load<Wide>(from + i);
      v = v < most ? v : most;
      v = v > -most ? v : -most;
      put_rounded(round(reinterpret_cast<Ints>(v)), to + i);
    }
    for (; i < count; ++i) to[i] = round(V::bounded(from[i]));
  }

  static void store(const float* key, const float* value, int head_width, int slot, void* k_page,
                    void* v_page) {
    const int padded = base::round_up(head_width, 8);
    auto* keys = static_cast<std::uint16_t*>(k_page) + 2 * slot;
    auto* values = static_cast<std::uint16_t*>(v_page) + slot / 2 * 2 * padded + slot % 2;
    constexpr int kPart = 32;
    std::uint16_t k[kPart], v[kPart];
    for (int first = 0; first < head_width; first += kPart) {
      const int count = head_width - first < kPart ? head_width - first : kPart;
      round_bounded(key + first, count, k);
      round_bounded(value + first, count, v);
      if (count % 2 == 1) k[count] = 0;  // completes the last pair
      for (int i = 0; i < count; i += 2) {
        std::memcpy(keys + (first + i) * kPageTokens, k + i, 2 * sizeof *k);
      }
      for (int i = 0; i < count; ++i) values[2 * (first + i)] = v[i];
    }
  }
};

}  // namespace plinth::tensor
