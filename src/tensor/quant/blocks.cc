#include "tensor/quant/blocks.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace plinth::tensor::quant {

namespace {

using u8 = std::uint8_t;

std::uint16_t load16(const u8* p) { return static_cast<std::uint16_t>(p[0] | p[1] << 8); }
std::uint32_t load32(const u8* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}
float load_f16(const u8* p) { return f16_to_f32(load16(p)); }
u8 byte(int value) { return static_cast<u8>(value); }

// 4- and 5-bit blocks of 32: element j in the low nibble of byte j, element j + 16 in the high one.
void nibbles(const u8* stored, u8* q) {
  for (int j = 0; j < 16; ++j) {
    q[j] = stored[j] & 15;
    q[j + 16] = stored[j] >> 4;
  }
}
void fifth_bits(const u8* high, u8* q) {
  const std::uint32_t bits = load32(high);
  for (int j = 0; j < 32; ++j) q[j] = byte(q[j] | (bits >> j & 1) << 4);
}

// scales[16] (4-bit scale, 4-bit min), quants[64] (2-bit), d, dmin.
void q2_k_scales(const u8* b, float* d, float* m) {
  const float scale = load_f16(b + 80), min = load_f16(b + 82);
  for (int s = 0; s < 16; ++s) {
    d[s] = scale * static_cast<float>(b[s] & 15);
    m[s] = -min * static_cast<float>(b[s] >> 4);
  }
}
void q2_k_integers(const u8* b, u8* q) {
  for (int s = 0; s < 8; ++s, q += 32) {
    const u8* from = b + 16 + s / 4 * 32;
    for (int j = 0; j < 32; ++j) q[j] = from[j] >> (s % 4 * 2) & 3;
  }
}

// hmask[32], quants[64] (2-bit), scales[12] (6-bit, packed), d.
void q3_k_scales(const u8* b, float* d) {
  const float scale = load_f16(b + 108);
  const u8* packed = b + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    const int high = packed[8 + s % 4] >> (s / 4 * 2) & 3;
    d[s] = scale * static_cast<float>((low | high << 4) - 32);
  }
}
void q3_k_integers(const u8* b, u8* q) {
  for (int s = 0; s < 8; ++s, q += 32) {
    const u8* from = b + 32 + s / 4 * 32;
    for (int j = 0; j < 32; ++j) {
      q[j] = byte((from[j] >> (s % 4 * 2) & 3) | (b[j] >> s & 1) << 2);
    }
  }
}

// The 6-bit scale and min of sub-block s out of the 12 packed bytes of Q4_K and Q5_K.
void scale_min(const u8* p, int s, int& scale, int& min) {
  if (s < 4) {
    scale = p[s] & 63;
    min = p[s + 4] & 63;
  } else {
    scale = (p[s + 4] & 15) | (p[s - 4] >> 6) << 4;
    min = (p[s + 4] >> 4) | (p[s] >> 6) << 4;
  }
}

// d, dmin, scales[12], (Q5_K: high bits[32]), quants[128] (4-bit).
void q45_k_scales(const u8* b, float* d, float* m) {
  const float all = load_f16(b), all_min = load_f16(b + 2);
  for (int s = 0; s < 8; ++s) {
    int scale = 0, min = 0;
    scale_min(b + 4, s, scale, min);
    d[s] = all * static_cast<float>(scale);
    m[s] = -all_min * static_cast<float>(min);
  }
}
void q45_k_integers(const u8* b, bool five, u8* q) {
  const u8* from = b + (five ? 48 : 16);
  for (int s = 0; s < 8; s += 2, q += 64, from += 32) {
    for (int j = 0; j < 32; ++j) q[j] = from[j] & 15;
    for (int j = 0; j < 32; ++j) q[32 + j] = from[j] >> 4;
    if (!five) continue;
    for (int j = 0; j < 32; ++j) q[j] = byte(q[j] | (b[16 + j] >> s & 1) << 4);
    for (int j = 0; j < 32; ++j) q[32 + j] = byte(q[32 + j] | (b[16 + j] >> (s + 1) & 1) << 4);
  }
}

// ql[128] (low 4 bits), qh[64] (high 2 bits), scales[16] (signed), d.
void q6_k_scales(const u8* b, float* d) {
  const float scale = load_f16(b + 208);
  for (int s = 0; s < 16; ++s) {
    d[s] = scale * static_cast<float>(static_cast<std::int8_t>(b[192 + s]));
  }
}
void q6_k_integers(const u8* b, u8* q) {
  for (int half = 0; half < 2; ++half) {
    const u8* high = b + 128 + half * 32;
    for (int quarter = 0; quarter < 4; ++quarter, q += 32) {
      const u8* low = b + half * 64 + quarter % 2 * 32;
      const int shift = quarter / 2 * 4;
      for (int j = 0; j < 32; ++j) {
        q[j] = byte((low[j] >> shift & 15) | (high[j] >> (quarter * 2) & 3) << 4);
      }
    }
  }
}

// d, high 2 bits of the scales (u16), low 4 bits[4], quants[128].
void iq4_xs_scales(const u8* b, float* d) {
  const float scale = load_f16(b);
  const int high = load16(b + 2);
  for (int s = 0; s < 8; ++s) {
    const int low = b[4 + s / 2] >> (s % 2 * 4) & 15;
    d[s] = scale * static_cast<float>((low | (high >> (2 * s) & 3) << 4) - 32);
  }
}

}  // namespace

float f16_to_f32(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000) << 16;
  std::uint32_t exponent = bits >> 10 & 31;
  std::uint32_t mantissa = bits & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const float magnitude = std::bit_cast<float>(bits & 0x7fffffffu);
  if (!(magnitude <= 3.4e38f)) {
    return static_cast<std::uint16_t>(sign | (magnitude != magnitude ? 0x7e00 : 0x7c00));
  }
  if (magnitude >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (magnitude < 0x1p-14f) {
    // Adding 2^-1 in units of 2^-24 rounds to nearest even in the hardware's adder.
    const float rounded = magnitude + 0.5f;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(rounded) - 0x3f000000u));
  }
  std::uint32_t m = std::bit_cast<std::uint32_t>(magnitude);
  m += 0xfff + (m >> 13 & 1);
  return static_cast<std::uint16_t>(sign | ((m >> 13) - (112u << 10)));
}

float bf16_to_f32(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

void floats_to_f32(DType dtype, const std::uint8_t* row, float* out, std::int64_t columns) {
  switch (dtype) {
    case DType::f32:
      std::memcpy(out, row, static_cast<std::size_t>(columns) * 4);
      return;
    case DType::f16:
      for (std::int64_t i = 0; i < columns; ++i) out[i] = load_f16(row + 2 * i);
      return;
    default:
      CHECK(dtype == DType::bf16);
      for (std::int64_t i = 0; i < columns; ++i) out[i] = bf16_to_f32(load16(row + 2 * i));
  }
}

int stored_zero(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return 8;
    case DType::q5_0:
      return 16;
    case DType::q3_k:
      return 4;
    case DType::q6_k:
      return 32;
    default:
      return 0;
  }
}

int decode_scales(DType dtype, const std::uint8_t* block, float* d, float* m) {
  std::fill_n(m, kSubBlocksMax, 0.0f);
  switch (dtype) {
    case DType::q2_k:
      q2_k_scales(block, d, m);
      return 16;
    case DType::q3_k:
      q3_k_scales(block, d);
      return 16;
    case DType::q4_k:
    case DType::q5_k:
      q45_k_scales(block, d, m);
      return 8;
    case DType::q6_k:
      q6_k_scales(block, d);
      return 16;
    case DType::iq4_xs:
      iq4_xs_scales(block, d);
      return 8;
    case DType::q4_1:
    case DType::q5_1:
      m[0] = load_f16(block + 2);
      [[fallthrough]];
    default:
      d[0] = load_f16(block);
      return 1;
  }
}

void decode_integers(DType dtype, const std::uint8_t* block, std::uint8_t* q) {
  switch (dtype) {
    case DType::q8_0:
      std::memcpy(q, block + 2, 32);
      return;
    case DType::q4_0:
    case DType::iq4_nl:
      return nibbles(block + 2, q);
    case DType::q4_1:
      return nibbles(block + 4, q);
    case DType::q5_0:
      nibbles(block + 6, q);
      return fifth_bits(block + 2, q);
    case DType::q5_1:
      nibbles(block + 8, q);
      return fifth_bits(block + 4, q);
    case DType::q2_k:
      return q2_k_integers(block, q);
    case DType::q3_k:
      return q3_k_integers(block, q);
    case DType::q4_k:
      return q45_k_integers(block, false, q);
    case DType::q5_k:
      return q45_k_integers(block, true, q);
    case DType::q6_k:
      return q6_k_integers(block, q);
    default:
      CHECK(dtype == DType::iq4_xs);
      for (int s = 0; s < 8; ++s) nibbles(block + 8 + s * 16, q + s * 32);
  }
}

int decode_block(DType dtype, const std::uint8_t* block, SubBlock* out) {
  float d[kSubBlocksMax], m[kSubBlocksMax];
  std::uint8_t q[kBlockElementsMax];
  const int count = decode_scales(dtype, block, d, m);
  decode_integers(dtype, block, q);
  const int size = static_cast<int>(dtype_info(dtype).block_elements) / count;
  const bool codes = dtype == DType::iq4_nl || dtype == DType::iq4_xs;
  const int zero = stored_zero(dtype);
  for (int s = 0; s < count; ++s) {
    out[s].size = size;
    out[s].d = d[s];
    out[s].m = m[s];
    for (int j = 0; j < size; ++j) {
      const std::uint8_t stored = q[s * size + j];
      const int value =
          codes ? kIq4Values[stored]
                : (dtype == DType::q8_0 ? static_cast<std::int8_t>(stored) : stored - zero);
      out[s].q[j] = static_cast<std::int16_t>(value);
    }
  }
  return count;
}

}  // namespace plinth::tensor::quant
