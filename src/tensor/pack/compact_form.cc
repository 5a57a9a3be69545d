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
// form is `bytes`.
void store_integers(Integers integers, const int* values, int lane, std::uint8_t* block) {
  std::uint8_t* place = block + lane * 4;
  if (integers == Integers::bytes) {
    for (int c = 0; c < kCompactBlock; ++c) {
      place[c / 4 * 32 + c % 4] = static_cast<std::uint8_t>(values[c]);
    }
    return;
  }
  for (int c = 0; c < 16; ++c) {
    place[c / 4 * 32 + c % 4] =
        static_cast<std::uint8_t>((values[c] & 15) | (values[c + 16] & 15) << 4);
  }
  if (integers == Integers::five) {
    for (int c = 0; c < kCompactBlock; ++c) {
      auto& byte = place[128 + c % 4];
      byte = static_cast<std::uint8_t>(byte | (values[c] >> 4 & 1) << c / 4);
    }
  }
  if (integers == Integers::six) {
    for (int c = 0; c < kCompactBlock; ++c) {
      auto& byte = place[128 + c / 16 * 32 + c % 4];
      byte = static_cast<std::uint8_t>(byte | (values[c] >> 4 & 3) << c / 4 % 4 * 2);
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
  std::vector<quant::SubBlock> row;
  row.reserve(static_cast<std::size_t>(columns / form.sub_block));
  for (std::int64_t c = 0; c < columns; c += info.block_elements, stored += info.block_bytes) {
    quant::for_each_sub_block(dtype, stored,
                              [&](const quant::SubBlock& block) { row.push_back(block); });
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
    int values[kCompactBlock];
    for (int which = 0; which < subs; ++which) {
      const auto& sub = row[first + static_cast<std::size_t>(which)];
      std::uint8_t* at = scales + block * form.scale_bytes() + lane * 2;
      store_half(at + which * 16, sub.d * scale);
      if (form.offsets) store_half(at + (subs + which) * 16, sub.m * scale);
      for (int j = 0; j < form.sub_block; ++j) {
        const int value = sub.q[j] + form.zero;
        values[which * 16 + j] =
            form.integers == Integers::codes ? nibbles[static_cast<std::uint8_t>(value)] : value;
      }
    }
    store_integers(form.integers, values, lane, integers + block * form.integer_bytes());
  }
}

}  // namespace plinth::tensor
