#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "tensor/x86/attention_body.h"
#include "tensor/x86/tile_config.h"

namespace plinth::tensor {

namespace {

struct Tag {
  static constexpr int kLanes = 16;
  static constexpr bool kBfloat = true;
};

constexpr int kQueries = kAttentionQueries;  // rows of a tile register
constexpr std::int64_t kTileRow = 64;        // bytes: 32 numbers of BF16, or 16 of fp32
constexpr int kTileColumns = 32;             // of queries and keys, positions of weights and values
constexpr int kPairs = 16;

// Both products of attention as tile products of 16 queries: scores out of queries and the pages of
// keys as they are, sums out of weights and values, of which a tile's 64 positions are first put
// one after another. Softmax and all else are those of BfloatPages.
struct TilePages : BfloatPages<Tag> {
  using Body = AttentionBody<Tag, BfloatPages<Tag>>;

  // Registers: 0 to 3 results, 4 the first operand, 5 to 7 the second.
  static void configure(int queries) {
    TileConfig config;
    for (int tile = 0; tile < 5; ++tile) config.shape(tile, queries, kTileRow);
    for (int tile = 5; tile < 8; ++tile) config.shape(tile, kPairs, kTileRow);
    config.load();
  }

  static void sum_positions(State& state, int begin, int end) {
    if (state.run.head_width % kTileColumns != 0) return Body::sum_positions(state, begin, end);
    auto* values = reinterpret_cast<std::uint16_t*>(state.values);
    int configured = 0;
    for (int origin = begin; origin < end; origin += kTilePositions) {
      gather_values(state, origin, values);
      for (int query = 0; query < state.queries; query += kQueries) {
        const int count = std::min(kQueries, state.queries - query);
        if (state.range(query + count - 1).last <= origin) continue;
        if (state.range(query).first >= origin + kTilePositions) continue;
        if (count != configured) configure(count);
        configured = count;
        scores(state, query, origin);
        for (int i = 0; i < count; ++i) {
          weigh(state, query + i, origin, state.scores + i * kTilePositions);
        }
        add(state, query, values);
      }
    }
    _tile_release();
    __asm__ volatile("" ::: "memory");
  }

  // Positions [origin, origin + 64) in pairs, [32, padded, 2]; zeros where the run has none.
  static void gather_values(const State& state, int origin, std::uint16_t* out) {
    const AttentionRun& run = state.run;
    const auto first = state.range(0).first, last = run.position + run.tokens;
    const auto pair = std::size_t{2} * static_cast<std::size_t>(state.padded);  // numbers
    for (int at = origin; at < origin + kTilePositions; at += kPageTokens) {
      const auto* page = static_cast<const std::uint16_t*>(
          at < last && at + kPageTokens > first ? run.v_pages[at / kPageTokens] : nullptr);
      const int there = page == nullptr ? 0 : std::min(last - at, kPageTokens);
      const auto whole = static_cast<std::size_t>(there / 2) * pair;
      if (whole > 0) std::memcpy(out, page, whole * sizeof *out);
      std::fill(out + whole, out + pair * (kPageTokens / 2), std::uint16_t{0});
      // A pair's second position may not have been written yet.
      for (std::size_t i = 0; there % 2 == 1 && i < pair; i += 2) out[whole + i] = page[whole + i];
      out += pair * (kPageTokens / 2);
    }
  }

  static void scores(const State& state, int query, int origin) {
    const AttentionRun& run = state.run;
    // Where there is no page the scores are masked: any key will do.
    const auto first = state.range(0).first, last = run.position + run.tokens;
    const void* keys[kTilePages];
    for (int i = 0; i < kTilePages; ++i) {
      const int at = origin + i * kPageTokens;
      keys[i] = at < last && at + kPageTokens > first ? run.k_pages[at / kPageTokens] : nullptr;
    }
    const auto* any = *std::find_if(keys, keys + kTilePages, [](auto* page) { return page; });
    for (auto& page : keys) page = page == nullptr ? any : page;
    const auto key = [&](int page, int column) {
      return static_cast<const std::uint16_t*>(keys[page]) + column * kPageTokens;
    };
    const std::uint16_t* q = state.rounded + std::int64_t{query} * state.padded;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int column = 0; column < run.head_width; column += kTileColumns) {
      _tile_loadd(4, q + column, state.padded * 2);
      _tile_loadd(5, key(0, column), kTileRow);
      _tile_dpbf16ps(0, 4, 5);
      _tile_loadd(6, key(1, column), kTileRow);
      _tile_dpbf16ps(1, 4, 6);
      _tile_loadd(7, key(2, column), kTileRow);
      _tile_dpbf16ps(2, 4, 7);
      _tile_loadd(5, key(3, column), kTileRow);
      _tile_dpbf16ps(3, 4, 5);
    }
    constexpr std::int64_t kStride = kTilePositions * sizeof(float);
    _tile_stored(0, state.scores, kStride);
    _tile_stored(1, state.scores + kPageTokens, kStride);
    _tile_stored(2, state.scores + 2 * kPageTokens, kStride);
    _tile_stored(3, state.scores + 3 * kPageTokens, kStride);
    __asm__ volatile("" ::: "memory");
  }

  // Two tiles of 16 columns of the sums at a time, of which every width that comes here has some.
  static void add(State& state, int query, const std::uint16_t* values) {
    __asm__ volatile("" ::: "memory");
    const std::int64_t stride = state.padded * std::int64_t{4};
    float* sums = state.sums + std::int64_t{query} * state.padded;
    for (int column = 0; column < state.run.head_width; column += 32, sums += 32) {
      _tile_loadd(0, sums, stride);
      _tile_loadd(1, sums + 16, stride);
      for (int p = 0; p < kTilePositions; p += kTileColumns) {
        const auto* weights = reinterpret_cast<const std::uint16_t*>(state.scores) + p;
        const std::uint16_t* v = values + std::int64_t{p} * state.padded + 2 * column;
        _tile_loadd(4, weights, kTilePositions * sizeof(float));
        _tile_loadd(5, v, stride);
        _tile_dpbf16ps(0, 4, 5);
        _tile_loadd(6, v + 2 * 16, stride);
        _tile_dpbf16ps(1, 4, 6);
      }
      _tile_stored(0, sums, stride);
      _tile_stored(1, sums + 16, stride);
    }
    __asm__ volatile("" ::: "memory");
  }
};

}  // namespace

constinit const AttentionKernels kTileAttention = AttentionBody<Tag, TilePages>::kTable;

}  // namespace plinth::tensor
