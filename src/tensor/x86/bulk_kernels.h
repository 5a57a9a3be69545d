// Products of many tokens at once, where the processor has tiles of BF16 (AMX). Weights are BF16,
// or in the compact form: a tile product has no room for a scale of its own for each 32 columns, so
// the weights of some blocks are scaled, rounded to BF16 and multiplied by all tokens that there
// are.
//
// The arithmetic is TDPBF16PS's (Intel SDM volume 2), for each token and row of W and, in order,
// each block of 32 columns:
//   first = fma over the first columns of 16 pairs from 0, second likewise over the second ones
//   sum += first + second
// in fp32; every step rounds to nearest even, and subnormal operands and results are zero. Columns
// that W does not have are zero.
//   BF16 weights: pairs of neighbours, activations bf16(x), y = sum.
//   Compact form: pairs as bulk_column() says. h = fp16(d (q - zero) + m), rounded once, to nearest
//   even; the weight is h rounded to 8 significant bits, halves away from zero, and zero below
//   2^-14. What is multiplied is 2^-112 of that, which is h's bits moved into BF16's places, by
//   bf16(2^56 x), and y = 2^56 sum row_scale. Activations of 2^71 and more are infinite.
#pragma once

#include <cstdint>

#include "tensor/pack/compact_form.h"

namespace plinth::tensor {

inline constexpr int kBulkTokens = 16;                                  // of one tile
inline constexpr std::int64_t kBulkTile = kBulkTokens * kCompactBlock;  // numbers of one tile
// Blocks whose weights are unpacked at a time: two tiles of rows are 40 KiB, which leaves the
// first-level cache (48 KiB) room for the activations that pass by.
inline constexpr int kBulkRangeMax = 20;
// Where there are several ranges, of each: products with less in that cache are faster by more than
// the pauses cost.
inline constexpr int kBulkRange = 16;

// Tiles of rows of one task, whose sums pause at once: with 512 tokens 512 KiB, as much as the
// activations of a range, so that both stay in the second-level cache.
inline constexpr int kBulkTaskTiles = 16;

// Activations: tiles of 16 tokens by 32 columns, [ceil(m / 16), blocks, 16, 32].
constexpr std::int64_t bulk_place(std::int64_t token, std::int64_t block, std::int64_t blocks) {
  return (token / kBulkTokens * blocks + block) * kBulkTile + token % kBulkTokens * kCompactBlock;
}

// The column of a block of the compact form in place `at` of its 16 pairs: unpacking takes every
// other byte of four.
constexpr int bulk_column(int at) {
  constexpr int kOrder[4] = {0, 2, 1, 3};
  return at / 4 * 4 + kOrder[at % 4];
}

inline constexpr float kBulkUp = 0x1p56f;

// Some tiles of rows by m tokens.
struct BulkTask {
  const CompactForm* form = nullptr;    // null: BF16 as float_kernels.h says
  const std::uint8_t* tiles = nullptr;  // tile_bytes apart
  std::int64_t tile_bytes = 0;
  int tile_count = 0;
  int last_rows = kCompactRows;      // of the last tile that exist
  const std::uint16_t* x = nullptr;  // as bulk_place() says, from a multiple of 16 tokens on
  std::int64_t blocks = 0;
  int m = 0;
  // Of the thread's own, aligned to 64 bytes.
  std::uint16_t* unpacked = nullptr;  // [2, kBulkRangeMax, 512]
  float* sums = nullptr;              // [tile_count, ceil(m / 16), 16, 16]
  float* y = nullptr;                 // y[t * ldy + r]
  std::int64_t ldy = 0;
  // y is larger than the caches: it need not be read to be written. Its rows are lines of 64 bytes.
  bool past_caches = false;

  // Blocks of each range: as even as they can be.
  std::int64_t range() const {
    if (blocks <= kBulkRangeMax) return blocks;
    return base::ceil_div(blocks, base::ceil_div<std::int64_t>(blocks, kBulkRange));
  }
};

using BulkProduct = void (*)(const BulkTask& task);
void multiply_bulk_scalar(const BulkTask& task);
void multiply_bulk_amx(const BulkTask& task);

// One row of x, [columns], into its place among the tiles, with zeros to the end of its last block:
// `out` is at bulk_place() of the token and block 0.
using BulkRound = void (*)(const float* x, std::int64_t columns, std::uint16_t* out);
void round_for_floats_scalar(const float* x, std::int64_t columns, std::uint16_t* out);
void round_for_compact_scalar(const float* x, std::int64_t columns, std::uint16_t* out);
void round_for_floats_amx(const float* x, std::int64_t columns, std::uint16_t* out);
void round_for_compact_amx(const float* x, std::int64_t columns, std::uint16_t* out);

}  // namespace plinth::tensor
