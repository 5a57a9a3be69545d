#include "tensor/quant/encode.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "tensor/quant/blocks.h"
#include "tensor/quant/fit.h"

namespace plinth::tensor::quant {

namespace {

using u8 = std::uint8_t;
constexpr int kSuper = 256;  // elements of a K-quant's block

u8 byte(int value) { return static_cast<u8>(value); }

// Stores fp16 and returns what a reader will see.
float put_f16(u8* to, float value) {
  const std::uint16_t bits = f32_to_f16(value);
  to[0] = byte(bits & 255);
  to[1] = byte(bits >> 8);
  return f16_to_f32(bits);
}

// 32 integers 0..31: low nibbles as GGUF packs them, fifth bits into `high` where it is given.
void put_nibbles(const int* q, u8* low, u8* high) {
  for (int j = 0; j < 16; ++j) low[j] = byte((q[j] & 15) | (q[j + 16] & 15) << 4);
  if (high == nullptr) return;
  std::memset(high, 0, 4);
  for (int j = 0; j < 32; ++j) high[j / 8] = byte(high[j / 8] | (q[j] >> 4) << (j % 8));
}

void encode_q8_0(const float* x, u8* out) {
  float largest = 0;
  for (int j = 0; j < 32; ++j) largest = std::max(largest, std::fabs(x[j]));
  const float d = put_f16(out, largest / 127.0f);
  for (int j = 0; j < 32; ++j) out[2 + j] = byte(nearest(x[j], {d, 0}, -127, 127));
}

// q4_0, q5_0: integers around 0, stored above it.
void encode_symmetric(const float* x, int bits, u8* out) {
  const int half = 1 << (bits - 1);
  const float d = put_f16(out, fit_scale(x, 32, -half, half - 1));
  int q[32];
  for (int j = 0; j < 32; ++j) q[j] = nearest(x[j], {d, 0}, -half, half - 1) + half;
  if (bits == 4)
    put_nibbles(q, out + 2, nullptr);
  else
    put_nibbles(q, out + 6, out + 2);
}

// q4_1, q5_1.
void encode_affine(const float* x, int bits, u8* out) {
  const int levels = (1 << bits) - 1;
  const Affine fit = fit_affine(x, 32, levels, INFINITY);
  const Affine stored{put_f16(out, fit.d), put_f16(out + 2, fit.m)};
  int q[32];
  for (int j = 0; j < 32; ++j) q[j] = nearest(x[j], stored, 0, levels);
  if (bits == 4)
    put_nibbles(q, out + 4, nullptr);
  else
    put_nibbles(q, out + 8, out + 4);
}

void encode_iq4_nl(const float* x, u8* out) {
  const float d = put_f16(out, fit_iq4_scale(x, 32));
  int q[32];
  for (int j = 0; j < 32; ++j) q[j] = nearest_iq4(x[j], d);
  put_nibbles(q, out + 2, nullptr);
}

// Sub-blocks' scales and offsets as integers of one fp16 each: d * scale[s], -dmin * min[s].
struct AffineScales {
  int scale[16];
  int min[16];
};

// Fits each sub-block, stores d and dmin at `d_at` and after it, and the integers of x into q.
AffineScales fit_super_affine(const float* x, int size, int levels, int scale_max, u8* d_at,
                              int* q) {
  Affine fits[16];
  float largest_d = 0, largest_m = 0;
  const int count = kSuper / size;
  for (int s = 0; s < count; ++s) {
    fits[s] = fit_affine(x + s * size, size, levels, 0);
    largest_d = std::max(largest_d, fits[s].d);
    largest_m = std::max(largest_m, -fits[s].m);
  }
  const float d = put_f16(d_at, largest_d / static_cast<float>(scale_max));
  const float dmin = put_f16(d_at + 2, largest_m / static_cast<float>(scale_max));
  AffineScales scales{};
  for (int s = 0; s < count; ++s) {
    scales.scale[s] = nearest(fits[s].d, {d, 0}, 0, scale_max);
    scales.min[s] = nearest(-fits[s].m, {dmin, 0}, 0, scale_max);
    const Affine stored{d * static_cast<float>(scales.scale[s]),
                        -dmin * static_cast<float>(scales.min[s])};
    for (int j = 0; j < size; ++j) q[s * size + j] = nearest(x[s * size + j], stored, 0, levels);
  }
  return scales;
}

// Sub-blocks' scales low..high as integers of one fp16, which is stored at `d_at`.
// `fit(x)` gives a sub-block's scale as a float.
template <typename Fit>
void fit_super_scales(const float* x, int size, int low, int high, u8* d_at, int* scale,
                      float* effective, Fit fit) {
  float fits[16];
  const int count = kSuper / size;
  float largest = 0;
  for (int s = 0; s < count; ++s) {
    fits[s] = fit(x + s * size);
    if (std::fabs(fits[s]) > std::fabs(largest)) largest = fits[s];
  }
  const float d = put_f16(d_at, largest / static_cast<float>(low));
  for (int s = 0; s < count; ++s) {
    scale[s] = nearest(fits[s], {d, 0}, low, high);
    effective[s] = d * static_cast<float>(scale[s]);
  }
}

void encode_q2_k(const float* x, u8* out) {
  int q[kSuper];
  const auto scales = fit_super_affine(x, 16, 3, 15, out + 80, q);
  for (int s = 0; s < 16; ++s) out[s] = byte(scales.scale[s] | scales.min[s] << 4);
  std::memset(out + 16, 0, 64);
  for (int i = 0; i < kSuper; ++i) {
    u8& to = out[16 + i / 128 * 32 + i % 32];
    to = byte(to | q[i] << (i % 128 / 32 * 2));
  }
}

void encode_q3_k(const float* x, u8* out) {
  int scale[16];
  float effective[16];
  fit_super_scales(x, 16, -32, 31, out + 108, scale, effective,
                   [](const float* part) { return fit_scale(part, 16, -4, 3); });
  std::memset(out, 0, 108);
  for (int s = 0; s < 16; ++s) {
    const int stored = scale[s] + 32;
    u8& low = out[96 + s % 8];
    low = byte(low | (stored & 15) << (s / 8 * 4));
    u8& high = out[104 + s % 4];
    high = byte(high | (stored >> 4) << (s / 4 * 2));
  }
  for (int i = 0; i < kSuper; ++i) {
    const int q = nearest(x[i], {effective[i / 16], 0}, -4, 3) + 4;
    u8& to = out[32 + i / 128 * 32 + i % 32];
    to = byte(to | (q & 3) << (i % 128 / 32 * 2));
    u8& mask = out[i % 32];
    mask = byte(mask | (q >> 2) << (i / 32));
  }
}

void encode_q45_k(const float* x, bool five, u8* out) {
  int q[kSuper];
  const auto scales = fit_super_affine(x, 32, five ? 31 : 15, 63, out, q);
  u8* packed = out + 4;
  std::memset(packed, 0, 12);
  for (int s = 0; s < 8; ++s) {
    const int scale = scales.scale[s], min = scales.min[s];
    if (s < 4) {
      packed[s] = byte(packed[s] | scale);
      packed[s + 4] = byte(packed[s + 4] | min);
    } else {
      packed[s + 4] = byte((scale & 15) | (min & 15) << 4);
      packed[s - 4] = byte(packed[s - 4] | (scale >> 4) << 6);
      packed[s] = byte(packed[s] | (min >> 4) << 6);
    }
  }
  u8* quants = out + (five ? 48 : 16);
  if (five) std::memset(out + 16, 0, 32);
  for (int s = 0; s < 8; ++s) {
    for (int j = 0; j < 32; ++j) {
      const int value = q[s * 32 + j];
      u8& to = quants[s / 2 * 32 + j];
      to = s % 2 == 0 ? byte(value & 15) : byte(to | (value & 15) << 4);
      if (five) out[16 + j] = byte(out[16 + j] | (value >> 4) << s);
    }
  }
}

void encode_q6_k(const float* x, u8* out) {
  int scale[16];
  float effective[16];
  fit_super_scales(x, 16, -128, 127, out + 208, scale, effective,
                   [](const float* part) { return fit_scale(part, 16, -32, 31); });
  std::memset(out, 0, 192);
  for (int s = 0; s < 16; ++s) out[192 + s] = byte(scale[s]);
  for (int i = 0; i < kSuper; ++i) {
    const int q = nearest(x[i], {effective[i / 16], 0}, -32, 31) + 32;
    const int half = i / 128, quarter = i % 128 / 32, j = i % 32;
    u8& low = out[half * 64 + quarter % 2 * 32 + j];
    low = byte(low | (q & 15) << (quarter / 2 * 4));
    u8& high = out[128 + half * 32 + j];
    high = byte(high | (q >> 4) << (quarter * 2));
  }
}

void encode_iq4_xs(const float* x, u8* out) {
  int scale[8];
  float effective[8];
  fit_super_scales(x, 32, -32, 31, out, scale, effective,
                   [](const float* part) { return fit_iq4_scale(part, 32); });
  std::memset(out + 2, 0, 6);
  for (int s = 0; s < 8; ++s) {
    const int stored = scale[s] + 32;
    u8& high = out[2 + s / 4];
    high = byte(high | (stored >> 4) << (s % 4 * 2));
    u8& low = out[4 + s / 2];
    low = byte(low | (stored & 15) << (s % 2 * 4));
    int q[32];
    for (int j = 0; j < 32; ++j) q[j] = nearest_iq4(x[s * 32 + j], effective[s]);
    put_nibbles(q, out + 8 + s * 16, nullptr);
  }
}

}  // namespace

void encode_block(DType dtype, const float* x, u8* out) {
  switch (dtype) {
    case DType::q8_0:
      return encode_q8_0(x, out);
    case DType::q4_0:
      return encode_symmetric(x, 4, out);
    case DType::q5_0:
      return encode_symmetric(x, 5, out);
    case DType::q4_1:
      return encode_affine(x, 4, out);
    case DType::q5_1:
      return encode_affine(x, 5, out);
    case DType::q2_k:
      return encode_q2_k(x, out);
    case DType::q3_k:
      return encode_q3_k(x, out);
    case DType::q4_k:
      return encode_q45_k(x, false, out);
    case DType::q5_k:
      return encode_q45_k(x, true, out);
    case DType::q6_k:
      return encode_q6_k(x, out);
    case DType::iq4_nl:
      return encode_iq4_nl(x, out);
    case DType::iq4_xs:
      return encode_iq4_xs(x, out);
    default:
      CHECK(false);
  }
}

}  // namespace plinth::tensor::quant
