#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/quant/blocks.h"
#include "tensor/x86/bulk_kernels.h"

namespace plinth::tensor {

namespace {

float flushed(float value) {
  return std::fabs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}

float fused(float a, float b, float sum) { return flushed(std::fma(a, b, sum)); }

std::uint16_t rounded(float value) {
  value = flushed(value);
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value)) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float widened(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value = 0;
  std::memcpy(&value, &wide, 4);
  return flushed(value);
}

float half(const std::uint8_t* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return quant::f16_to_f32(bits);
}

// Rounded once, not to fp32 first: an inexact fp32 ends in a one, which later rounding sees.
std::uint16_t to_half(double value) {
  auto narrow = static_cast<float>(value);
  if (std::fabs(double{narrow}) > std::fabs(value)) narrow = std::nextafter(narrow, 0.0f);
  if (double{narrow} != value) {
    narrow = std::bit_cast<float>(std::bit_cast<std::uint32_t>(narrow) | 1u);
  }
  return quant::f32_to_f16(narrow);
}

// 2^-112 of a weight.
float lowered(double weight) {
  std::uint16_t bits = to_half(weight);
  bits = static_cast<std::uint16_t>((bits & 0x8000) | ((bits & 0x7fff) + 4) >> 3);
  return widened(bits);
}

// Column c of a block's integers in one lane, less its zero where there is one.
int integer_at(const CompactForm& form, const std::uint8_t* vectors, int lane, int c) {
  const std::uint8_t* q = vectors + lane * 4 + c % 4;
  const int j = c / 4;
  if (form.integers == Integers::bytes) return static_cast<std::int8_t>(q[j * kCompactVector]);
  int value = q[j % 4 * kCompactVector] >> (j < 4 ? 0 : 4) & 15;
  if (form.integers == Integers::codes) return quant::kIq4Values[value];
  if (form.integers == Integers::five) value |= (q[4 * kCompactVector] >> j & 1) << 4;
  if (form.integers == Integers::six)
    value |= (q[(4 + j / 4) * kCompactVector] >> j % 4 * 2 & 3) << 4;
  return value - form.zero();
}

// The 32 weights of one lane and block, in the order of their pairs.
void weights_at(const BulkTask& task, const std::uint8_t* tile, std::int64_t block, int lane,
                float out[kCompactBlock]) {
  if (task.form == nullptr) {
    for (int c = 0; c < kCompactBlock; ++c) {
      std::uint16_t bits = 0;
      const auto place = block * kBulkTile + (c / 2 * kCompactRows + lane) * 2 + c % 2;
      std::memcpy(&bits, tile + place * 2, 2);
      out[c] = widened(bits);
    }
    return;
  }
  const CompactForm& form = *task.form;
  const std::uint8_t* record = tile + kCompactRows * 4 + block * form.record_bytes();
  for (int at = 0; at < kCompactBlock; ++at) {
    const int c = bulk_column(at);
    const std::uint8_t* scales = record + lane * 2;
    const int sub = c / form.sub_block;
    const float d = half(scales + sub * kCompactScales);
    const float m = form.offsets ? half(scales + (form.subs() + sub) * kCompactScales) : 0.0f;
    const int q = integer_at(form, record + form.scale_bytes(), lane, c);
    out[at] = lowered(double{d} * q + m);
  }
}

float sum_block(const float w[kCompactBlock], const std::uint16_t* x, float sum) {
  float even = 0, odd = 0;
  for (int c = 0; c < kCompactBlock; c += 2) {
    even = fused(w[c], widened(x[c]), even);
    odd = fused(w[c + 1], widened(x[c + 1]), odd);
  }
  return flushed(sum + flushed(even + odd));
}

}  // namespace

void round_for_floats_scalar(const float* x, std::int64_t columns, std::uint16_t* out) {
  for (std::int64_t c = 0; c < base::round_up<std::int64_t>(columns, kCompactBlock); ++c) {
    out[c / kCompactBlock * kBulkTile + c % kCompactBlock] = c < columns ? rounded(x[c]) : 0;
  }
}

void round_for_compact_scalar(const float* x, std::int64_t columns, std::uint16_t* out) {
  for (std::int64_t first = 0; first < columns; first += kCompactBlock, out += kBulkTile) {
    for (int at = 0; at < kCompactBlock; ++at) {
      const auto c = first + bulk_column(at);
      out[at] = c < columns ? rounded(x[c] * kBulkUp) : 0;
    }
  }
}

void multiply_bulk_scalar(const BulkTask& task) {
  for (int tile = 0; tile < task.tile_count; ++tile) {
    const int rows = tile + 1 == task.tile_count ? task.last_rows : kCompactRows;
    const std::uint8_t* packed = task.tiles + tile * task.tile_bytes;
    for (int r = 0; r < rows; ++r) {
      float* y = task.y + tile * kCompactRows + r;
      for (int t = 0; t < task.m; ++t) y[t * task.ldy] = 0;
      for (std::int64_t b = 0; b < task.blocks; ++b) {
        float w[kCompactBlock];
        weights_at(task, packed, b, r, w);
        for (int t = 0; t < task.m; ++t) {
          float& sum = y[t * task.ldy];
          sum = sum_block(w, task.x + bulk_place(t, b, task.blocks), sum);
        }
      }
      if (task.form == nullptr) continue;
      float row_scale = 0;
      std::memcpy(&row_scale, packed + r * 4, 4);
      for (int t = 0; t < task.m; ++t) y[t * task.ldy] = y[t * task.ldy] * kBulkUp * row_scale;
    }
  }
}

}  // namespace plinth::tensor
