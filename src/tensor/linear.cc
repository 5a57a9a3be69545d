#include "tensor/linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/units.h"
#include "tensor/quant/blocks.h"
#include "tensor/x86/linear_kernels.h"

namespace plinth::tensor {

struct Activations::Impl {
  std::vector<std::int8_t> q;
  std::vector<float> d, s;
  std::vector<float> floats;
  std::int64_t columns = 0;
};

Activations::Activations() : impl_(std::make_unique<Impl>()) {}
Activations::~Activations() = default;
Activations::Activations(Activations&&) noexcept = default;
Activations& Activations::operator=(Activations&&) noexcept = default;

namespace {

const LinearKernels& kernels_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kScalarKernels;
    case Isa::avx2:
      return kAvx2Kernels;
    case Isa::avx512:
      return kAvx512Kernels;
    case Isa::amx:
      return kAmxKernels;
  }
  return kScalarKernels;
}

// Enough work per hand-out that the counter's cache line does not matter.
constexpr std::int64_t kGroupsPerTask = 4;

std::int64_t total_rows(std::span<const MatrixView> parts) {
  std::int64_t rows = 0;
  for (const auto& part : parts) rows += part.rows;
  return rows;
}

class QuantLinear final : public PackedLinear {
 public:
  QuantLinear(std::span<const MatrixView> parts, int bits, const LinearKernels& kernels)
      : PackedLinear(total_rows(parts), parts[0].columns), bits_(bits), kernels_(kernels) {
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kGroupRows);
    group_bytes_ = columns() / kBlock * block_bytes(bits_);
    data_.assign(static_cast<std::size_t>(groups * group_bytes_ + 64), 0);
    std::int64_t row = 0;
    for (const auto& part : parts) {
      const auto stride = row_bytes(part.dtype, part.columns);
      for (std::int64_t r = 0; r < part.rows; ++r, ++row) {
        pack_row(part.dtype, part.data + static_cast<std::size_t>(r) * stride, row);
      }
    }
  }
  std::size_t bytes() const override { return data_.size(); }

  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const QuantLinear*>(&other);
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
      std::vector<float> edge;
      for (auto g = begin; g < end; ++g) {
        const std::uint8_t* group = data_.data() + g * group_bytes_;
        if (g < full) {
          kernels_.quant(group, bits_, rows_in, m, y + g * kGroupRows, ldy);
          continue;
        }
        edge.resize(static_cast<std::size_t>(m) * kGroupRows);
        kernels_.quant(group, bits_, rows_in, m, edge.data(), kGroupRows);
        for (int t = 0; t < m; ++t) {
          std::copy_n(edge.data() + t * kGroupRows, rows() - g * kGroupRows,
                      y + t * ldy + g * kGroupRows);
        }
      }
    });
  }

 private:
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
  const LinearKernels& kernels_;
  std::int64_t group_bytes_ = 0;
  std::vector<std::uint8_t> data_;
};

class FloatLinear final : public PackedLinear {
 public:
  FloatLinear(std::span<const MatrixView> parts, const LinearKernels& kernels)
      : PackedLinear(total_rows(parts), parts[0].columns), kernels_(kernels) {
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kGroupRows);
    data_.assign(static_cast<std::size_t>(groups * kGroupRows * columns()), 0.0f);
    std::vector<float> values(static_cast<std::size_t>(columns()));
    std::int64_t row = 0;
    for (const auto& part : parts) {
      const auto stride = row_bytes(part.dtype, part.columns);
      for (std::int64_t r = 0; r < part.rows; ++r, ++row) {
        dequantize_row(part.dtype, part.data + static_cast<std::size_t>(r) * stride, values.data(),
                       columns());
        float* group = data_.data() + row / kGroupRows * kGroupRows * columns();
        for (std::int64_t c = 0; c < columns(); ++c) {
          group[c * kGroupRows + row % kGroupRows] = values[static_cast<std::size_t>(c)];
        }
      }
    }
  }
  std::size_t bytes() const override { return data_.size() * 4; }
  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const FloatLinear*>(&other);
    return same != nullptr && same->columns() == columns();
  }
  void prepare(const float* x, std::int64_t ldx, int m, Activations& out,
               base::ThreadPool&) const override {
    auto& a = out.impl();
    a.columns = columns();
    a.floats.resize(std::max(a.floats.size(), static_cast<std::size_t>(m * columns())));
    for (int t = 0; t < m; ++t) {
      std::copy_n(x + t * ldx, columns(), a.floats.data() + t * columns());
    }
  }
  void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                base::ThreadPool& pool) const override {
    const auto& a = x.impl();
    CHECK(a.columns == columns());
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kGroupRows);
    pool.parallel_for(groups, kGroupsPerTask, [&](std::int64_t begin, std::int64_t end) {
      std::vector<float> edge(static_cast<std::size_t>(m) * kGroupRows);
      for (auto g = begin; g < end; ++g) {
        kernels_.floats(data_.data() + g * kGroupRows * columns(), a.floats.data(), columns(),
                        columns(), m, edge.data(), kGroupRows);
        const auto count = std::min<std::int64_t>(kGroupRows, rows() - g * kGroupRows);
        for (int t = 0; t < m; ++t) {
          std::copy_n(edge.data() + t * kGroupRows, count, y + t * ldy + g * kGroupRows);
        }
      }
    });
  }

 private:
  const LinearKernels& kernels_;
  std::vector<float> data_;
};

bool is_nibbles(DType dtype) {
  return dtype == DType::q4_0 || dtype == DType::q4_1 || dtype == DType::q4_k;
}

// Sub-blocks of 16 (Q2_K, Q3_K, Q6_K) would need a scale per half block; they run as fp32.
bool has_integer_form(DType dtype) {
  const bool halves = dtype == DType::q2_k || dtype == DType::q3_k || dtype == DType::q6_k;
  return !halves && dtype_info(dtype).block_elements > 1;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PackedLinear>> pack_linear(std::span<const MatrixView> parts,
                                                          const LinearOptions& options) {
  if (parts.empty()) return base::invalid_argument("[pack_linear] no matrix");
  bool integers = options.mode == LinearMode::fast;
  bool nibbles = true;
  for (const auto& part : parts) {
    if (part.columns != parts[0].columns || part.columns <= 0 || part.rows <= 0) {
      return base::invalid_argument(
          fmt::format("[pack_linear] {} x {} does not stack on {} columns", part.rows, part.columns,
                      parts[0].columns));
    }
    if (part.columns % dtype_info(part.dtype).block_elements != 0) {
      return base::invalid_argument(fmt::format("[pack_linear] {} columns are no whole {} blocks",
                                                part.columns, dtype_info(part.dtype).name));
    }
    integers = integers && has_integer_form(part.dtype);
    nibbles = nibbles && is_nibbles(part.dtype);
  }
  const auto& kernels = kernels_for(options.isa);
  if (integers) return std::make_unique<QuantLinear>(parts, nibbles ? 4 : 8, kernels);
  return std::make_unique<FloatLinear>(parts, kernels);
}

void gather_rows(const MatrixView& table, std::span<const std::int32_t> ids, float* out) {
  const auto stride = row_bytes(table.dtype, table.columns);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(ids[i] >= 0 && ids[i] < table.rows);
    dequantize_row(table.dtype, table.data + static_cast<std::size_t>(ids[i]) * stride,
                   out + static_cast<std::int64_t>(i) * table.columns, table.columns);
  }
}

}  // namespace plinth::tensor
