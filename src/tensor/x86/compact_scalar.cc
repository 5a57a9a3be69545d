// The reference of the compact kernels.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/quant/blocks.h"
#include "tensor/x86/compact_kernels.h"

namespace plinth::tensor {

namespace {

int integer_at(Integers integers, const std::uint8_t* block, int row, int column) {
  const int vector = column / 4;
  const int place = row * 4 + column % 4;
  if (integers == Integers::bytes)
    return static_cast<std::int8_t>(block[vector * kCompactVector + place]);
  const int nibble = block[vector % 4 * kCompactVector + place] >> (vector < 4 ? 0 : 4) & 15;
  switch (integers) {
    case Integers::codes:
      return quant::kIq4Values[nibble];
    case Integers::five:
      return nibble | (block[4 * kCompactVector + place] >> vector & 1) << 4;
    case Integers::six:
      return nibble | (block[(4 + vector / 4) * kCompactVector + place] >> (vector % 4 * 2) & 3)
                          << 4;
    default:
      return nibble;
  }
}

float half_at(const std::uint8_t* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, 2);
  return quant::f16_to_f32(bits);
}

float row_sum(const CompactTask& task, int row, const PanelBlock* panel, int lane, float sum) {
  const auto& form = *task.form;
  const int subs = form.subs();
  const int zero = form.zero();
  const std::uint8_t* record = task.record();
  for (auto b = task.first_block; b < task.last_block; ++b, record += form.record_bytes()) {
    const std::uint8_t* scales = record + row * 2;
    const std::uint8_t* integers = record + form.scale_bytes();
    const auto& x = panel[b].scale[lane];
    for (int sub = 0; sub < subs; ++sub) {
      int dot = 0;
      for (int c = sub * form.sub_block; c < (sub + 1) * form.sub_block; ++c) {
        dot += (integer_at(form.integers, integers, row, c) - zero) * panel[b].q[lane][c];
      }
      const float d = half_at(scales + sub * kCompactScales);
      sum = std::fma(static_cast<float>(dot), d * x.d, sum);
      if (!form.offsets) continue;
      const float m = half_at(scales + (subs + sub) * kCompactScales);
      sum = std::fma(m, subs == 1 ? x.s : (sub == 0 ? x.low_s : x.high_s), sum);
    }
  }
  return sum;
}

void multiply(const CompactTask& task) {
  for (int t = 0; t < task.m; ++t) {
    const PanelBlock* panel = task.panels + t / kPanelTokens * task.blocks;
    for (int r = 0; r < task.rows; ++r) {
      float& y = task.y[t * task.ldy + r];
      y = row_sum(task, r, panel, t % kPanelTokens, task.first_block == 0 ? 0.0f : y);
      if (task.last_block < task.blocks) continue;
      float row_scale = 0;
      std::memcpy(&row_scale, task.tile + r * 4, 4);
      y *= row_scale;
    }
  }
}

void quantize(const float* x, std::int64_t blocks, int lane, PanelBlock* panel) {
  for (std::int64_t b = 0; b < blocks; ++b, x += kCompactBlock, ++panel) {
    float largest = 0;
    for (int i = 0; i < kCompactBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
    const bool finite =
        std::all_of(x, x + kCompactBlock, [](float value) { return std::isfinite(value); });
    const bool live = finite && largest >= kQuantizeFloor;
    const float inverse = live ? 127.0f / largest : 0.0f;
    int sums[2] = {};
    for (int i = 0; i < kCompactBlock; ++i) {
      const int value = live ? static_cast<int>(std::nearbyint(x[i] * inverse)) : 0;
      panel->q[lane][i] = static_cast<std::int8_t>(value);
      sums[i / 16] += value;
    }
    const float d =
        finite ? (live ? largest / 127.0f : 0.0f) : std::numeric_limits<float>::quiet_NaN();
    panel->minus8[0][lane] = -8 * (sums[0] + sums[1]);
    panel->minus8[1][lane] = -8 * sums[0];
    panel->minus8[2][lane] = -8 * sums[1];
    panel->scale[lane] = {d, d * static_cast<float>(sums[0] + sums[1]),
                          d * static_cast<float>(sums[0]), d * static_cast<float>(sums[1])};
  }
}

}  // namespace

const CompactKernels kCompactScalar = {multiply, quantize};

}  // namespace plinth::tensor
