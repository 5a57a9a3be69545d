#include "tensor/pack/compact_form.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "base/check.h"
#include "tensor/quant/blocks.h"

namespace plinth::tensor {

namespace {

// The largest scale of a row lands in [2^8, 2^9): 127 times it is within fp16's range, and 22
// binary orders below it are before fp16 loses bits.
constexpr int kTopExponent = 8;
// Keeps row_scale itself a normal fp32.
constexpr int kExponentMax = 120;

// NaN where a scale is not finite: such a row multiplies to NaN.
float row_exponent_scale(std::span<const float> d, std::span<const float> m) {
  float largest = 0;
  for (const auto values : {d, m}) {
    for (const float value : values) {
      if (!std::isfinite(value)) return std::numeric_limits<float>::quiet_NaN();
      largest = std::max(largest, std::fabs(value));
    }
  }
  if (largest == 0) return 1.0f;
  return std::ldexp(1.0f,
                    std::clamp(kTopExponent - std::ilogb(largest), -kExponentMax, kExponentMax));
}

void store_half(std::uint8_t* at, float value) {
  const std::uint16_t bits = quant::f32_to_f16(value);
  std::memcpy(at, &bits, 2);
}

// The 32 integers of one row and block into lane `lane` of the block's vectors: unsigned unless the
// form is `bytes`. Four columns are one dword of the lane, so bits move four columns at a time.
void store_integers(Integers integers, const std::uint8_t* values, int lane, std::uint8_t* block) {
  std::uint32_t w[8];
  std::memcpy(w, values, sizeof w);
  const auto put = [&](int vector, std::uint32_t dword) {
    std::memcpy(block + vector * kCompactVector + lane * 4, &dword, 4);
  };
  if (integers == Integers::bytes) {
    for (int j = 0; j < 8; ++j) put(j, w[j]);
    return;
  }
  for (int j = 0; j < 4; ++j) put(j, (w[j] & 0x0f0f0f0fu) | (w[j + 4] & 0x0f0f0f0fu) << 4);
  if (integers == Integers::five) {
    std::uint32_t bits = 0;
    for (int j = 0; j < 8; ++j) bits |= (w[j] >> 4 & 0x01010101u) << j;
    put(4, bits);
  }
  if (integers == Integers::six) {
    for (int half = 0; half < 2; ++half) {
      std::uint32_t bits = 0;
      for (int j = 0; j < 4; ++j) bits |= (w[4 * half + j] >> 4 & 0x03030303u) << (2 * j);
      put(4 + half, bits);
    }
  }
}

}  // namespace

bool has_compact_form(DType dtype) { return dtype_info(dtype).block_elements > 1; }

namespace {

CompactForm form_of(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return {Integers::nibbles, 32, false};
    case DType::q4_1:
    case DType::q4_k:
      return {Integers::nibbles, 32, true};
    case DType::q5_0:
      return {Integers::five, 32, false};
    case DType::q5_1:
    case DType::q5_k:
      return {Integers::five, 32, true};
    case DType::q2_k:
      return {Integers::nibbles, 16, true};
    case DType::q3_k:
      return {Integers::nibbles, 16, false};
    case DType::q6_k:
      return {Integers::six, 16, false};
    case DType::iq4_nl:
    case DType::iq4_xs:
      return {Integers::codes, 32, false};
    default:
      CHECK(dtype == DType::q8_0);
      return {Integers::bytes, 32, false};
  }
}

}  // namespace

CompactForm compact_form(DType dtype) {
  const auto form = form_of(dtype);
  CHECK(form.zero() == quant::stored_zero(dtype));
  return form;
}

void pack_compact_row(DType dtype, const CompactForm& form, const std::uint8_t* stored,
                      std::int64_t columns, int row, std::uint8_t* tile) {
  const auto& info = dtype_info(dtype);
  const auto blocks = columns / info.block_elements;
  const auto sub_blocks = static_cast<std::size_t>(columns / form.sub_block);
  // decode_scales() writes to its arrays' ends.
  std::vector<float> d(sub_blocks + quant::kSubBlocksMax), m(d.size());
  std::size_t decoded = 0;
  for (std::int64_t b = 0; b < blocks; ++b) {
    decoded += static_cast<std::size_t>(quant::decode_scales(
        dtype, stored + b * info.block_bytes, d.data() + decoded, m.data() + decoded));
  }
  CHECK(decoded == sub_blocks);
  const float scale = row_exponent_scale(std::span(d).first(decoded), std::span(m).first(decoded));
  const float row_scale = 1.0f / scale;
  std::memcpy(tile + row * 4, &row_scale, 4);
  const int subs = form.subs();
  std::uint8_t* record = tile + kCompactRows * 4;
  std::uint8_t integers[quant::kBlockElementsMax];
  std::size_t sub = 0;
  for (std::int64_t b = 0; b < blocks; ++b) {
    quant::decode_integers(dtype, stored + b * info.block_bytes, integers);
    for (std::int64_t c = 0; c < info.block_elements; c += kCompactBlock) {
      std::uint8_t* scales = record + row * 2;
      for (int which = 0; which < subs; ++which, ++sub) {
        store_half(scales + which * kCompactScales, d[sub] * scale);
        if (form.offsets) store_half(scales + (subs + which) * kCompactScales, m[sub] * scale);
      }
      store_integers(form.integers, integers + c, row, record + form.scale_bytes());
      record += form.record_bytes();
    }
  }
}

}  // namespace plinth::tensor
