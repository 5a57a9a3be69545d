#include "tensor/pack/compact_form.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "tensor/quant/blocks.h"

namespace plinth::tensor {

namespace {

// The largest scale of a row lands in [2^10, 2^11): headroom above, and 24 binary orders below it
// before fp16 loses bits.
constexpr int kTopExponent = 10;
// Keeps row_scale itself a normal fp32.
constexpr int kExponentMax = 120;

float row_exponent_scale(const std::vector<quant::SubBlock>& row) {
  float largest = 0;
  for (const auto& block : row) {
    largest = std::max({largest, std::fabs(block.d), std::fabs(block.m)});
    if (!std::isfinite(block.d) || !std::isfinite(block.m)) return 1.0f;
  }
  if (largest == 0) return 1.0f;
  return std::ldexp(1.0f,
                    std::clamp(kTopExponent - std::ilogb(largest), -kExponentMax, kExponentMax));
}

// The nibble that stands for a value of the IQ4 code book, by the value's low byte.
const std::array<std::uint8_t, 256>& iq4_nibbles() {
  static const auto table = [] {
    std::array<std::uint8_t, 256> nibbles{};
    for (int i = 0; i < 16; ++i) {
      nibbles[static_cast<std::uint8_t>(quant::kIq4Values[i])] = static_cast<std::uint8_t>(i);
    }
    return nibbles;
  }();
  return table;
}

void store_half(std::uint8_t* at, float value) {
  const std::uint16_t bits = quant::f32_to_f16(value);
  std::memcpy(at, &bits, 2);
}

// The 32 integers of one row and block into lane `lane` of the block's bytes: unsigned unless the
// form is `bytes`. Four columns are one dword of the lane, so bits move four columns at a time.
void store_integers(Integers integers, const std::uint8_t* values, int lane, std::uint8_t* block) {
  std::uint32_t w[8];
  std::memcpy(w, values, sizeof w);
  const auto put = [&](int vector, std::uint32_t dword) {
    std::memcpy(block + vector * 32 + lane * 4, &dword, 4);
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

CompactForm compact_form(DType dtype) {
  switch (dtype) {
    case DType::q4_0:
      return {Integers::nibbles, 32, false, 8};
    case DType::q4_1:
    case DType::q4_k:
      return {Integers::nibbles, 32, true, 0};
    case DType::q5_0:
      return {Integers::five, 32, false, 16};
    case DType::q5_1:
    case DType::q5_k:
      return {Integers::five, 32, true, 0};
    case DType::q2_k:
      return {Integers::nibbles, 16, true, 0};
    case DType::q3_k:
      return {Integers::nibbles, 16, false, 4};
    case DType::q6_k:
      return {Integers::six, 16, false, 32};
    case DType::iq4_nl:
    case DType::iq4_xs:
      return {Integers::codes, 32, false, 0};
    default:
      CHECK(dtype == DType::q8_0);
      return {Integers::bytes, 32, false, 0};
  }
}

void pack_compact_row(DType dtype, const CompactForm& form, const std::uint8_t* stored,
                      std::int64_t columns, int lane, std::uint8_t* group) {
  const auto& info = dtype_info(dtype);
  std::vector<quant::SubBlock> row(static_cast<std::size_t>(columns / form.sub_block));
  auto* sub_blocks = row.data();
  for (std::int64_t c = 0; c < columns; c += info.block_elements, stored += info.block_bytes) {
    sub_blocks += quant::decode_block(dtype, stored, sub_blocks);
  }
  const float scale = row_exponent_scale(row);
  const float row_scale = 1.0f / scale;
  std::memcpy(group + lane * 4, &row_scale, 4);
  const int subs = form.subs();
  const auto& nibbles = iq4_nibbles();
  std::uint8_t* scales = group + 32;
  std::uint8_t* integers = group + form.integers_at(columns / kCompactBlock);
  for (std::size_t first = 0; first < row.size(); first += static_cast<std::size_t>(subs)) {
    const auto block = static_cast<std::int64_t>(first) / subs;
    std::uint8_t values[kCompactBlock];
    for (int which = 0; which < subs; ++which) {
      const auto& sub = row[first + static_cast<std::size_t>(which)];
      std::uint8_t* at = scales + block * form.scale_bytes() + lane * 2;
      store_half(at + which * 16, sub.d * scale);
      if (form.offsets) store_half(at + (subs + which) * 16, sub.m * scale);
      std::uint8_t* to = values + which * 16;
      for (int j = 0; j < form.sub_block; ++j) {
        to[j] = static_cast<std::uint8_t>(sub.q[j] + form.zero);
      }
      if (form.integers == Integers::codes) {
        for (int j = 0; j < form.sub_block; ++j) to[j] = nibbles[to[j]];
      }
    }
    store_integers(form.integers, values, lane, integers + block * form.integer_bytes());
  }
}

}  // namespace plinth::tensor
