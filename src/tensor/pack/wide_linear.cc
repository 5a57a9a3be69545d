#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/units.h"
#include "tensor/pack/packed_forms.h"
#include "tensor/quant/blocks.h"
#include "tensor/x86/wide_kernels.h"

namespace plinth::tensor {

namespace {

// Enough work per hand-out that the counter's cache line does not matter.
constexpr std::int64_t kGroupsPerTask = 4;
// The rows of the last group that do not exist are computed into a buffer of so many tokens.
constexpr int kEdgeTokens = 64;

class WideLinear final : public PackedLinear {
 public:
  WideLinear(std::span<const MatrixView> parts, int bits, const WideKernels& kernels,
             std::shared_ptr<WeightMemory> memory)
      : PackedLinear(total_rows(parts), parts[0].columns),
        bits_(bits),
        kernels_(kernels),
        memory_(std::move(memory)) {}

  absl::Status pack(std::span<const MatrixView> parts) {
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kGroupRows);
    group_bytes_ = columns() / kBlock * block_bytes(bits_);
    ASSIGN_OR_RETURN(data_, memory_->take(static_cast<std::size_t>(groups * group_bytes_)));
    std::int64_t row = 0;
    for (const auto& part : parts) {
      const auto stride = row_bytes(part.dtype, part.columns);
      for (std::int64_t r = 0; r < part.rows; ++r, ++row) {
        pack_row(part.dtype, part.data + static_cast<std::size_t>(r) * stride, row);
      }
    }
    return absl::OkStatus();
  }

  std::size_t bytes() const override { return data_.size(); }

  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const WideLinear*>(&other);
    return same != nullptr && same->columns() == columns() && &same->kernels_ == &kernels_;
  }

  void prepare(const float* x, std::int64_t ldx, int m, Activations& out,
               base::ThreadPool& pool) const override {
    auto& a = out.impl();
    a.columns = columns();
    const std::int64_t blocks = columns() / kBlock;
    const auto need = static_cast<std::size_t>(m * columns());
    if (a.q.size() < need) a.q.resize(need);
    const auto need_blocks = static_cast<std::size_t>(m * blocks);
    if (a.d.size() < need_blocks) a.d.resize(need_blocks);
    if (a.s.size() < need_blocks) a.s.resize(need_blocks);
    pool.parallel_for(m, 8, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        kernels_.quantize(x + t * ldx, columns(), a.q.data() + t * columns(),
                          a.d.data() + t * blocks, a.s.data() + t * blocks);
      }
    });
  }

  void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                base::ThreadPool& pool) const override {
    const auto& a = x.impl();
    CHECK(a.columns == columns());
    const QuantizedRows rows_in{a.q.data(), a.d.data(), a.s.data(), columns()};
    const std::int64_t full = rows() / kGroupRows;
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kGroupRows);
    pool.parallel_for(groups, kGroupsPerTask, [&](std::int64_t begin, std::int64_t end) {
      for (auto g = begin; g < end; ++g) {
        if (g < full) {
          kernels_.quant(data_.data() + g * group_bytes_, bits_, rows_in, m, y + g * kGroupRows,
                         ldy);
        } else {
          multiply_edge(g, rows_in, m, y, ldy);
        }
      }
    });
  }

 private:
  // The last group, of which some rows do not exist.
  void multiply_edge(std::int64_t g, QuantizedRows x, int m, float* y, std::int64_t ldy) const {
    float edge[kEdgeTokens * kGroupRows];
    const std::int64_t count = rows() - g * kGroupRows;
    for (int first = 0; first < m; first += kEdgeTokens) {
      const int part = std::min(kEdgeTokens, m - first);
      kernels_.quant(data_.data() + g * group_bytes_, bits_, x, part, edge, kGroupRows);
      for (int t = 0; t < part; ++t) {
        std::copy_n(edge + t * kGroupRows, count, y + (first + t) * ldy + g * kGroupRows);
      }
      x.q += part * columns();
      x.d += part * (columns() / kBlock);
      x.s += part * (columns() / kBlock);
    }
  }

  void pack_row(DType dtype, const std::uint8_t* stored, std::int64_t row) {
    std::uint8_t* group = data_.data() + row / kGroupRows * group_bytes_;
    const int lane = static_cast<int>(row % kGroupRows);
    const auto& info = dtype_info(dtype);
    std::int64_t block = 0;
    for (std::int64_t c = 0; c < columns(); c += info.block_elements, stored += info.block_bytes) {
      quant::for_each_sub_block(dtype, stored, [&](const quant::SubBlock& sub) {
        pack_block(group + block++ * block_bytes(bits_), lane, sub);
      });
    }
  }

  void pack_block(std::uint8_t* block, int lane, const quant::SubBlock& sub) const {
    // Signed integers become unsigned ones with the difference in the offset.
    const int shift = -std::min<int>(0, *std::min_element(sub.q, sub.q + kBlock));
    const float scale[2] = {sub.d, sub.m - sub.d * static_cast<float>(shift)};
    std::memcpy(block + lane * 4, &scale[0], 4);
    std::memcpy(block + 64 + lane * 4, &scale[1], 4);
    std::uint8_t* q = block + 128;
    for (int c = 0; c < kBlock; ++c) {
      const int value = sub.q[c] + shift;
      if (bits_ == 8) {
        q[c / 4 * 64 + lane * 4 + c % 4] = static_cast<std::uint8_t>(value);
      } else {
        auto& byte = q[c % 16 / 4 * 64 + lane * 4 + c % 4];
        byte = static_cast<std::uint8_t>(byte | value << (c < 16 ? 0 : 4));
      }
    }
  }

  const int bits_;
  const WideKernels& kernels_;
  const std::shared_ptr<WeightMemory> memory_;
  std::int64_t group_bytes_ = 0;
  std::span<std::uint8_t> data_;
};

bool is_nibbles(DType dtype) {
  return dtype == DType::q4_0 || dtype == DType::q4_1 || dtype == DType::q4_k;
}

}  // namespace

// Sub-blocks of 16 (Q2_K, Q3_K, Q6_K) would need a scale per half block; they run as fp32.
bool has_wide_form(DType dtype) {
  const bool halves = dtype == DType::q2_k || dtype == DType::q3_k || dtype == DType::q6_k;
  return !halves && dtype_info(dtype).block_elements > 1;
}

PackedResult pack_wide(std::span<const MatrixView> parts, const LinearOptions& options) {
  const bool nibbles = std::all_of(parts.begin(), parts.end(),
                                   [](const auto& part) { return is_nibbles(part.dtype); });
  auto packed = std::make_unique<WideLinear>(
      parts, nibbles ? 4 : 8, options.isa == Isa::amx ? kWideAmx : kWideAvx512, options.memory);
  RETURN_IF_ERROR(packed->pack(parts));
  return packed;
}

}  // namespace plinth::tensor
