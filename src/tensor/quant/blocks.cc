#include "tensor/quant/blocks.h"

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
std::int16_t narrow(int value) { return static_cast<std::int16_t>(value); }

// 4- and 5-bit blocks of 32: element j in the low nibble of byte j, element j + 16 in the high one.
void nibbles(const u8* q, int offset, SubBlock& out) {
  for (int j = 0; j < 16; ++j) {
    out.q[j] = narrow((q[j] & 15) + offset);
    out.q[j + 16] = narrow((q[j] >> 4) + offset);
  }
}
void fifth_bits(const u8* high, SubBlock& out) {
  const std::uint32_t bits = load32(high);
  for (int j = 0; j < 32; ++j) out.q[j] = narrow(out.q[j] + ((bits >> j & 1) << 4));
}

int small_block(DType dtype, const u8* b, SubBlock& out) {
  out.size = 32;
  out.m = 0;
  out.d = load_f16(b);
  switch (dtype) {
    case DType::q8_0:
      for (int j = 0; j < 32; ++j) out.q[j] = static_cast<std::int8_t>(b[2 + j]);
      break;
    case DType::q4_0:
      nibbles(b + 2, -8, out);
      break;
    case DType::q4_1:
      out.m = load_f16(b + 2);
      nibbles(b + 4, 0, out);
      break;
    case DType::q5_0:
      nibbles(b + 6, -16, out);
      fifth_bits(b + 2, out);
      break;
    case DType::q5_1:
      out.m = load_f16(b + 2);
      nibbles(b + 8, 0, out);
      fifth_bits(b + 4, out);
      break;
    default:  // iq4_nl
      nibbles(b + 2, 0, out);
      for (auto& q : out.q) q = narrow(kIq4Values[q]);
  }
  return 1;
}

// scales[16] (4-bit scale, 4-bit min), quants[64] (2-bit), d, dmin.
int q2_k(const u8* b, SubBlock* out) {
  const float d = load_f16(b + 80), dmin = load_f16(b + 82);
  for (int s = 0; s < 16; ++s) {
    out[s].size = 16;
    out[s].d = d * static_cast<float>(b[s] & 15);
    out[s].m = -dmin * static_cast<float>(b[s] >> 4);
    const u8* q = b + 16 + (s / 8) * 32 + (s % 2) * 16;
    const int shift = (s % 8) / 2 * 2;
    for (int j = 0; j < 16; ++j) out[s].q[j] = narrow(q[j] >> shift & 3);
  }
  return 16;
}

// hmask[32], quants[64] (2-bit), scales[12] (6-bit, packed), d.
int q3_k(const u8* b, SubBlock* out) {
  const float d = load_f16(b + 108);
  const u8* packed = b + 96;
  for (int s = 0; s < 16; ++s) {
    const int low = s < 8 ? packed[s] & 15 : packed[s - 8] >> 4;
    const int high = packed[8 + s % 4] >> (s / 4 * 2) & 3;
    out[s].size = 16;
    out[s].d = d * static_cast<float>((low | high << 4) - 32);
    out[s].m = 0;
    const int half = (s % 2) * 16;
    const u8* q = b + 32 + (s / 8) * 32 + half;
    const int shift = (s % 8) / 2 * 2;
    const int bit = s / 2;
    for (int j = 0; j < 16; ++j) {
      const int missing = (b[half + j] >> bit & 1) != 0 ? 0 : 4;
      out[s].q[j] = narrow((q[j] >> shift & 3) - missing);
    }
  }
  return 16;
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
int q45_k(const u8* b, bool five, SubBlock* out) {
  const float d = load_f16(b), dmin = load_f16(b + 2);
  const u8* quants = b + (five ? 48 : 16);
  for (int s = 0; s < 8; ++s) {
    int scale = 0, min = 0;
    scale_min(b + 4, s, scale, min);
    out[s].size = 32;
    out[s].d = d * static_cast<float>(scale);
    out[s].m = -dmin * static_cast<float>(min);
    const u8* q = quants + (s / 2) * 32;
    for (int j = 0; j < 32; ++j) {
      int value = s % 2 == 0 ? q[j] & 15 : q[j] >> 4;
      if (five) value += (b[16 + j] >> s & 1) << 4;
      out[s].q[j] = narrow(value);
    }
  }
  return 8;
}

// ql[128] (low 4 bits), qh[64] (high 2 bits), scales[16] (signed), d.
int q6_k(const u8* b, SubBlock* out) {
  const float d = load_f16(b + 208);
  for (int s = 0; s < 16; ++s) {
    out[s].size = 16;
    out[s].d = d * static_cast<float>(static_cast<std::int8_t>(b[192 + s]));
    out[s].m = 0;
    const int half = s / 8;
    const int quarter = (s % 8) / 2;  // which 32 of the half's 128
    const int from = (s % 2) * 16;
    const u8* low = b + half * 64 + (quarter % 2) * 32 + from;
    const u8* high = b + 128 + half * 32 + from;
    for (int j = 0; j < 16; ++j) {
      const int nibble = quarter < 2 ? low[j] & 15 : low[j] >> 4;
      out[s].q[j] = narrow((nibble | (high[j] >> (quarter * 2) & 3) << 4) - 32);
    }
  }
  return 16;
}

// d, high 2 bits of the scales (u16), low 4 bits[4], quants[128] through the IQ4 code book.
int iq4_xs(const u8* b, SubBlock* out) {
  const float d = load_f16(b);
  const int high = load16(b + 2);
  for (int s = 0; s < 8; ++s) {
    const int low = b[4 + s / 2] >> (s % 2 * 4) & 15;
    out[s].size = 32;
    out[s].d = d * static_cast<float>((low | (high >> (2 * s) & 3) << 4) - 32);
    out[s].m = 0;
    nibbles(b + 8 + s * 16, 0, out[s]);
    for (auto& q : out[s].q) q = narrow(kIq4Values[q]);
  }
  return 8;
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

int decode_block(DType dtype, const std::uint8_t* block, SubBlock* out) {
  switch (dtype) {
    case DType::q2_k:
      return q2_k(block, out);
    case DType::q3_k:
      return q3_k(block, out);
    case DType::q4_k:
      return q45_k(block, false, out);
    case DType::q5_k:
      return q45_k(block, true, out);
    case DType::q6_k:
      return q6_k(block, out);
    case DType::iq4_xs:
      return iq4_xs(block, out);
    default:
      return small_block(dtype, block, out[0]);
  }
}

}  // namespace plinth::tensor::quant
