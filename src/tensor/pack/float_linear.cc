#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/units.h"
#include "tensor/pack/packed_forms.h"
#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

// Enough work per hand-out that the counter's cache line does not matter.
constexpr std::int64_t kGroupsPerTask = 4;
// The rows of the last group that do not exist are computed into a buffer of so many tokens.
constexpr int kEdgeTokens = 64;

class FloatLinear final : public PackedLinear {
 public:
  FloatLinear(std::span<const MatrixView> parts, FloatKernel kernel,
              std::shared_ptr<WeightMemory> memory)
      : PackedLinear(total_rows(parts), parts[0].columns),
        kernel_(kernel),
        memory_(std::move(memory)) {}

  absl::Status pack(std::span<const MatrixView> parts) {
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kFloatRows);
    const auto count = static_cast<std::size_t>(groups * kFloatRows * columns());
    ASSIGN_OR_RETURN(const auto bytes, memory_->take(count * sizeof(float)));
    data_ = {reinterpret_cast<float*>(bytes.data()), count};
    std::vector<float> values(static_cast<std::size_t>(columns()));
    std::int64_t row = 0;
    for (const auto& part : parts) {
      const auto stride = row_bytes(part.dtype, part.columns);
      for (std::int64_t r = 0; r < part.rows; ++r, ++row) {
        dequantize_row(part.dtype, part.data + static_cast<std::size_t>(r) * stride, values.data(),
                       columns());
        float* group = data_.data() + row / kFloatRows * kFloatRows * columns();
        for (std::int64_t c = 0; c < columns(); ++c) {
          group[c * kFloatRows + row % kFloatRows] = values[static_cast<std::size_t>(c)];
        }
      }
    }
    return absl::OkStatus();
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
    const std::int64_t groups = base::ceil_div<std::int64_t>(rows(), kFloatRows);
    pool.parallel_for(groups, kGroupsPerTask, [&](std::int64_t begin, std::int64_t end) {
      for (auto g = begin; g < end; ++g) multiply_group(g, a.floats.data(), m, y, ldy);
    });
  }

 private:
  void multiply_group(std::int64_t g, const float* x, int m, float* y, std::int64_t ldy) const {
    const float* group = data_.data() + g * kFloatRows * columns();
    const std::int64_t count = std::min<std::int64_t>(kFloatRows, rows() - g * kFloatRows);
    if (count == kFloatRows) {
      kernel_(group, x, columns(), columns(), m, y + g * kFloatRows, ldy);
      return;
    }
    float edge[kEdgeTokens * kFloatRows];
    for (int first = 0; first < m; first += kEdgeTokens) {
      const int part = std::min(kEdgeTokens, m - first);
      kernel_(group, x + first * columns(), columns(), columns(), part, edge, kFloatRows);
      for (int t = 0; t < part; ++t) {
        std::copy_n(edge + t * kFloatRows, count, y + (first + t) * ldy + g * kFloatRows);
      }
    }
  }

  const FloatKernel kernel_;
  const std::shared_ptr<WeightMemory> memory_;
  std::span<float> data_;
};

FloatKernel kernel_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kFloatsScalar;
    case Isa::avx2:
      return kFloatsAvx2;
    case Isa::avx512:
    case Isa::amx:
      return kFloatsAvx512;
  }
  return kFloatsScalar;
}

}  // namespace

PackedResult pack_floats(std::span<const MatrixView> parts, const LinearOptions& options) {
  auto packed = std::make_unique<FloatLinear>(parts, kernel_for(options.isa), options.memory);
  RETURN_IF_ERROR(packed->pack(parts));
  return packed;
}

}  // namespace plinth::tensor
