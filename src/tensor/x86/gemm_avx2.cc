#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "tensor/x86/gemm_kernels.h"
#include "tensor/x86/gemm_pack.h"

namespace plinth::tensor {

namespace {

// Register tiles of 6 rows by 16 columns: 12 sums, two vectors of B and one of A are 15 of the 16
// registers, and 8 loads feed 12 products, of which a core does two a cycle.
constexpr int kRows = 6, kColumns = 16;
// Numbers of k in one pass: a panel of B is 16 KiB and stays in the first-level cache (32 KiB)
// while panels of A, 6 KiB each, pass by.
constexpr std::int64_t kRange = 256;
// Columns at a time: a pass over them has 256 KiB of B and 96 each of A and C, and the second-level
// cache of these processors 512 KiB, on some 256, where B comes from the third.
constexpr std::int64_t kColumnsOfPass = 256;
constexpr std::int64_t kBlockBytes = 1 << 20, kBlockRows = 16 * kRows;

__m256i first_8(std::int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

struct Vectors {
  using Vector = __m256i;
  static constexpr int kWide = 8;
  static constexpr int kNumbers = 1;

  static void transpose(Vector (&v)[8]) {
    __m256i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
      a[i] = _mm256_unpacklo_epi32(v[i], v[i + 1]);
      a[i + 1] = _mm256_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
      b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
      b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
      b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    for (int j = 0; j < 4; ++j) {
      v[j] = _mm256_permute2x128_si256(b[j], b[4 + j], 0x20);
      v[4 + j] = _mm256_permute2x128_si256(b[j], b[4 + j], 0x31);
    }
  }
  template <int kLanes>
  static void store(std::uint32_t* to, Vector v) {
    if constexpr (kLanes == kWide) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v);
    } else {
      static_assert(kLanes == 6);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_castsi256_si128(v));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to + 4), _mm256_extracti128_si256(v, 1));
    }
  }
};

// To BF16 and back: halves to even, and a NaN stays one.
template <bool kRounded>
__m256i rounded(__m256i bits) {
  if constexpr (!kRounded) return bits;
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i near = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
  const __m256 number = _mm256_castsi256_ps(bits);
  const __m256 nan = _mm256_cmp_ps(number, number, _CMP_UNORD_Q);
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  return _mm256_and_si256(_mm256_blendv_epi8(near, quiet, _mm256_castps_si256(nan)),
                          _mm256_set1_epi32(static_cast<int>(0xffff0000u)));
}

template <bool kRounded>
struct Floats : Vectors {
  using Stored = float;
  static Vector along(const float* at, std::int64_t numbers) {
    return rounded<kRounded>(
        _mm256_maskload_epi32(reinterpret_cast<const int*>(at), first_8(numbers)));
  }
  static Vector across(const float* at, std::int64_t, std::int64_t lanes, std::int64_t) {
    return along(at, std::min<std::int64_t>(lanes, kWide));
  }
};

struct Bfloats : Vectors {
  using Stored = std::uint16_t;
  static Vector along(const std::uint16_t* at, std::int64_t numbers) {
    alignas(16) std::uint16_t halves[8] = {};
    if (numbers == kWide) {
      std::memcpy(halves, at, sizeof halves);
    } else {
      std::copy_n(at, numbers, halves);
    }
    const __m128i loaded = _mm_load_si128(reinterpret_cast<const __m128i*>(halves));
    return _mm256_slli_epi32(_mm256_cvtepu16_epi32(loaded), 16);
  }
  static Vector across(const std::uint16_t* at, std::int64_t, std::int64_t lanes, std::int64_t) {
    return along(at, lanes);
  }
};

struct Tile {
  const float *a = nullptr, *b = nullptr;
  std::int64_t k = 0;
  float* c = nullptr;
  std::int64_t ldc = 0;
  bool from_zero = false;
  const float* soon = nullptr;  // the next tile's C
};

template <int kM>
void multiply_tile(const Tile& tile) {
  __m256 sum[kM][2];
#pragma GCC unroll 6
  for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      sum[r][v] = _mm256_setzero_ps();
      if (!tile.from_zero) sum[r][v] = _mm256_loadu_ps(tile.c + r * tile.ldc + 8 * v);
    }
    _mm_prefetch(tile.soon + r * tile.ldc, _MM_HINT_T0);
    _mm_prefetch(tile.soon + r * tile.ldc + 15, _MM_HINT_T0);
  }
  const float *a = tile.a, *b = tile.b;
  for (std::int64_t k = 0; k < tile.k; ++k, a += kRows, b += kColumns) {
    const __m256 right[2] = {_mm256_load_ps(b), _mm256_load_ps(b + 8)};
#pragma GCC unroll 6
    for (int r = 0; r < kM; ++r) {
      const __m256 left = _mm256_broadcast_ss(a + r);
#pragma GCC unroll 2
      for (int v = 0; v < 2; ++v) sum[r][v] = _mm256_fmadd_ps(left, right[v], sum[r][v]);
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kM; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) _mm256_storeu_ps(tile.c + r * tile.ldc + 8 * v, sum[r][v]);
  }
}

template <int... kBefore>
constexpr auto products(std::integer_sequence<int, kBefore...>) {
  return std::array<void (*)(const Tile&), sizeof...(kBefore)>{multiply_tile<kBefore + 1>...};
}

// A tile of fewer columns, in memory of its own that has all of them.
void multiply_narrow(Tile tile, std::int64_t rows, std::int64_t columns,
                     void (*product)(const Tile&)) {
  float whole[kRows * kColumns] = {};
  float* c = tile.c;
  for (std::int64_t r = 0; r < rows && !tile.from_zero; ++r) {
    std::copy_n(c + r * tile.ldc, columns, whole + r * kColumns);
  }
  const auto ldc = tile.ldc;
  tile.c = whole;
  tile.ldc = kColumns;
  tile.soon = whole;
  product(tile);
  for (std::int64_t r = 0; r < rows; ++r) std::copy_n(whole + r * kColumns, columns, c + r * ldc);
}

// All passes over some columns.
void multiply_columns(const GemmTask& task, std::int64_t begin, std::int64_t end) {
  static constexpr auto kProducts = products(std::make_integer_sequence<int, kRows>());
  for (std::int64_t first = 0; first < task.k; first += kRange) {
    Tile tile;
    tile.k = std::min(kRange, task.k - first);
    tile.ldc = task.ldc;
    tile.from_zero = task.from_zero && first == 0;
    for (auto column = begin; column < end; column += kColumns) {
      const auto columns = std::min<std::int64_t>(end - column, kColumns);
      const auto b = task.b + column / kColumns * task.b_panel_bytes;
      tile.b = reinterpret_cast<const float*>(b) + first * kColumns;
      for (std::int64_t row = 0; row < task.rows; row += kRows) {
        const auto rows = std::min<std::int64_t>(task.rows - row, kRows);
        const auto a = task.a + row / kRows * task.a_panel_bytes;
        tile.a = reinterpret_cast<const float*>(a) + first * kRows;
        tile.c = task.c + row * task.ldc + column;
        tile.soon = row + rows < task.rows ? tile.c + rows * task.ldc : tile.c;
        const auto product = kProducts[static_cast<std::size_t>(rows - 1)];
        columns == kColumns ? product(tile) : multiply_narrow(tile, rows, columns, product);
      }
    }
  }
}

void multiply(const GemmTask& task) {
  for (std::int64_t column = 0; column < task.columns; column += kColumnsOfPass) {
    multiply_columns(task, column, std::min(column + kColumnsOfPass, task.columns));
  }
}

template <bool kRounded>
constexpr GemmKernel kernel() {
  GemmKernel made;
  made.rows = kRows;
  made.columns = kColumns;
  made.number_bytes = 4;
  made.block_bytes = kBlockBytes;
  made.block_rows = kBlockRows;
  made.pack_a = pack_panels<Floats<kRounded>, Bfloats, GemmPanel<kRows, 1, 8>>;
  made.pack_b = pack_panels<Floats<kRounded>, Bfloats, GemmPanel<8, 2, 8>>;
  made.multiply = multiply;
  return made;
}

}  // namespace

constinit const GemmKernel kGemmAvx2 = kernel<false>();
constinit const GemmKernel kGemmAvx2Rounded = kernel<true>();

}  // namespace plinth::tensor
