// The kernels over the compact form (tensor/pack/compact_form.h), one table for each instruction
// set. The arithmetic is one for all of them and for every number of tokens; for each row, token
// and block of 32 columns, in the order of the blocks:
//   for each sub-block, in order: sum = fma(dot, d * x.d, sum), dot = sum of q * x.q, or without
//                                 offsets of (q - zero) * x.q, exact;
//                                 with offsets sum = fma(m, x.s, sum)
// and at the end y = sum * row_scale.
#pragma once

#include <cstdint>

#include "tensor/pack/compact_form.h"

namespace plinth::tensor {

// Activations of four tokens over one block of 32 columns. A panel is four tokens' blocks in order,
// so that one stream of memory feeds the kernel's 16 rows and 4 tokens.
inline constexpr int kPanelTokens = 4;
struct alignas(16) PanelBlock {
  struct Scale {
    float d;      // x = d * q
    float s;      // d * sum of q
    float low_s;  // the same over columns 0..15 and 16..31
    float high_s;
  };
  std::int8_t q[kPanelTokens][kCompactBlock];  // -127..127
  Scale scale[kPanelTokens];
  // -8 times the sum of q, over all columns, 0..15 and 16..31: what weights with a zero of 8 have
  // too much, so that the commonest type starts its sums from here.
  std::int32_t minus8[3][kPanelTokens];

  static constexpr int part(int subs, int sub) { return subs == 1 ? 0 : 1 + sub; }
};
static_assert(sizeof(PanelBlock) == 240);

// What a kernel computes: the rows of one tile, all m tokens, blocks [first_block, last_block).
struct CompactTask {
  const CompactForm* form = nullptr;
  const std::uint8_t* tile = nullptr;
  const PanelBlock* panels = nullptr;  // [ceil(m / 4), blocks]
  std::int64_t blocks = 0;             // of the whole row
  std::int64_t first_block = 0, last_block = 0;
  int m = 0;
  int rows = kCompactRows;  // of the tile that exist: 1..16
  bool cold = true;         // the weights come from memory: fetch what follows ahead of its use
  // y[t * ldy + r]: holds the unscaled sum between the ranges of blocks of one product.
  float* y = nullptr;
  std::int64_t ldy = 0;

  const std::uint8_t* record() const {
    return tile + kCompactRows * 4 + first_block * form->record_bytes();
  }
};

struct CompactKernels {
  void (*multiply)(const CompactTask& task);
  // Lane `lane` of a panel from one row of 32 * blocks floats. A NaN or infinity makes its block
  // NaN; a block whose largest magnitude is below 1e-30 counts as zero.
  void (*quantize)(const float* x, std::int64_t blocks, int lane, PanelBlock* panel);
};

inline constexpr float kQuantizeFloor = 1e-30f;

extern const CompactKernels kCompactScalar;
extern const CompactKernels kCompactAvx2;
extern const CompactKernels kCompactAvx512;

// `quantize` of every set from AVX2 on.
void quantize_panel_avx2(const float* x, std::int64_t blocks, int lane, PanelBlock* panel);

}  // namespace plinth::tensor
