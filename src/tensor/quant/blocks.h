// GGUF's quantised blocks in one form: sub-blocks of 16 or 32 elements, w = d * q + m, in order.
// Layouts: the GGUF format's reference description (ggml quantisation types).
#pragma once

#include <cstdint>

#include "tensor/dtype.h"

namespace plinth::tensor::quant {

struct SubBlock {
  int size = 0;        // 16 or 32
  float d = 0;         // scale
  float m = 0;         // offset
  std::int16_t q[32];  // -128..255
};

// The non-linear 4-bit code book of IQ4_NL and IQ4_XS.
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

float f16_to_f32(std::uint16_t bits);
std::uint16_t f32_to_f16(float value);  // to nearest even
float bf16_to_f32(std::uint16_t bits);

// f32, f16 and bf16 rows. out: [columns].
void floats_to_f32(DType dtype, const std::uint8_t* row, float* out, std::int64_t columns);

inline constexpr int kSubBlocksMax = 16;
inline constexpr int kBlockElementsMax = 256;

// One block's scales and offsets, into arrays of kSubBlocksMax; returns how many sub-blocks.
int decode_scales(DType dtype, const std::uint8_t* block, float* d, float* m);
// One block's integers as its bits are, in order: w = d * (q - stored_zero) + m, but Q8_0's are
// signed bytes and those of IQ4 number the code book's values. q: [dtype_info().block_elements].
void decode_integers(DType dtype, const std::uint8_t* block, std::uint8_t* q);
int stored_zero(DType dtype);
// Both, with the zero taken off and the code book applied. out has room for kSubBlocksMax.
int decode_block(DType dtype, const std::uint8_t* block, SubBlock* out);

template <typename Visit>
void for_each_sub_block(DType dtype, const std::uint8_t* block, Visit&& visit) {
  SubBlock blocks[kSubBlocksMax];
  const int count = decode_block(dtype, block, blocks);
  for (int i = 0; i < count; ++i) visit(blocks[i]);
}

}  // namespace plinth::tensor::quant
