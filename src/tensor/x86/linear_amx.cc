#include <immintrin.h>

#include <vector>

#include "tensor/x86/wide_kernels.h"

namespace plinth::tensor {

namespace {

// One tile product: 16 tokens (A, signed) by 16 weight rows (B, unsigned) over one block of 32
// columns. A packed block already is B's layout: 8 rows of 16 lanes of 4 columns.
constexpr int kTokens = 16;
// Below this a token costs less with VNNI than the 16-token tile it would share.
constexpr int kTailTokens = 4;
constexpr std::int64_t kWideBlock = kGroupRows * kBlock;  // bytes of a block's integers at 8 bits

// The 64-byte operand of LDTILECFG (Intel SDM volume 1, 18.2).
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 32, 32, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 8, 8};
};
static_assert(sizeof(TileConfig) == 64);

struct alignas(64) Dots {
  std::int32_t at[kTokens][kGroupRows];
};

// GCC 12 declares no memory input on tile loads; keeps earlier stores before them.
inline void publish_stores() { __asm__ volatile("" ::: "memory"); }

// Nibbles to bytes, for the whole group: every further 16 tokens read the same bytes from L1.
void widen(const std::uint8_t* group, std::int64_t blocks, std::uint8_t* out) {
  const __m512i mask = _mm512_set1_epi8(15);
  for (std::int64_t b = 0; b < blocks; ++b, out += kWideBlock) {
    const std::uint8_t* q = group + b * block_bytes(4) + 128;
    for (int j = 0; j < 4; ++j) {
      const __m512i both = _mm512_loadu_si512(q + j * 64);
      _mm512_storeu_si512(out + j * 64, _mm512_and_si512(both, mask));
      _mm512_storeu_si512(out + (j + 4) * 64, _mm512_and_si512(_mm512_srli_epi16(both, 4), mask));
    }
  }
}

// Tile registers are named by constants, hence one function for each of the two sets.
inline void dot_even(const std::int8_t* x, std::int64_t columns, const std::uint8_t* w, Dots& out) {
  _tile_zero(0);
  _tile_loadd(2, x, columns);
  _tile_loadd(4, w, 64);
  _tile_dpbsud(0, 2, 4);
  _tile_stored(0, out.at, 64);
}

inline void dot_odd(const std::int8_t* x, std::int64_t columns, const std::uint8_t* w, Dots& out) {
  _tile_zero(1);
  _tile_loadd(3, x, columns);
  _tile_loadd(5, w, 64);
  _tile_dpbsud(1, 3, 5);
  _tile_stored(1, out.at, 64);
}

// The same operations in the same order as the AVX-512 kernel: the bits must agree (decision 0004).
inline void accumulate(const Dots& dots, const std::uint8_t* scales, const float* d, const float* s,
                       std::int64_t blocks, __m512 sum[kTokens]) {
  const __m512 wd = _mm512_loadu_ps(scales);
  const __m512 wm = _mm512_loadu_ps(scales + 64);
#pragma GCC unroll 16
  for (int t = 0; t < kTokens; ++t) {
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_load_si512(dots.at[t]));
    const __m512 product = _mm512_mul_ps(wd, _mm512_set1_ps(d[t * blocks]));
    sum[t] = _mm512_fmadd_ps(dot, product, sum[t]);
    sum[t] = _mm512_fmadd_ps(wm, _mm512_set1_ps(s[t * blocks]), sum[t]);
  }
}

// w: the blocks' integers at 8 bits, w_step bytes apart. The product of block b + 1 runs while
// block b is accumulated.
void tile(const std::uint8_t* scales, std::int64_t scale_step, const std::uint8_t* w,
          std::int64_t w_step, const QuantizedRows& x, float* y, std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  __m512 sum[kTokens];
  for (auto& s : sum) s = _mm512_setzero_ps();
  Dots even, odd;
  dot_even(x.q, x.columns, w, even);
  for (std::int64_t b = 0; b < blocks; b += 2) {
    if (b + 1 < blocks) dot_odd(x.q + (b + 1) * kBlock, x.columns, w + (b + 1) * w_step, odd);
    accumulate(even, scales + b * scale_step, x.d + b, x.s + b, blocks, sum);
    if (b + 1 == blocks) break;
    if (b + 2 < blocks) dot_even(x.q + (b + 2) * kBlock, x.columns, w + (b + 2) * w_step, even);
    accumulate(odd, scales + (b + 1) * scale_step, x.d + b + 1, x.s + b + 1, blocks, sum);
  }
  for (int t = 0; t < kTokens; ++t) _mm512_storeu_ps(y + t * ldy, sum[t]);
}

void quant(const std::uint8_t* group, int bits, const QuantizedRows& x, int m, float* y,
           std::int64_t ldy) {
  const std::int64_t blocks = x.columns / kBlock;
  const auto from = [&](int token) {
    return QuantizedRows{x.q + token * x.columns, x.d + token * blocks, x.s + token * blocks,
                         x.columns};
  };
  int done = 0;
  if (m >= kTokens) {
    thread_local std::vector<std::uint8_t> wide;
    const std::uint8_t* w = group + 128;
    std::int64_t w_step = block_bytes(8);
    if (bits == 4) {
      const auto need = static_cast<std::size_t>(blocks * kWideBlock);
      if (wide.size() < need) wide.resize(need);
      widen(group, blocks, wide.data());
      w = wide.data();
      w_step = kWideBlock;
    }
    const TileConfig config;
    publish_stores();
    _tile_loadconfig(&config);
    for (; done + kTokens <= m; done += kTokens) {
      tile(group, block_bytes(bits), w, w_step, from(done), y + done * ldy, ldy);
    }
    // A longer tail repeats a few finished tokens, to the same bits, in one more full tile.
    if (m - done > kTailTokens) {
      tile(group, block_bytes(bits), w, w_step, from(m - kTokens), y + (m - kTokens) * ldy, ldy);
      done = m;
    }
    _tile_release();
  }
  if (done < m) kWideAvx512.quant(group, bits, from(done), m - done, y + done * ldy, ldy);
}

}  // namespace

const WideKernels kWideAmx = {quant, kWideAvx512.quantize};

}  // namespace plinth::tensor
