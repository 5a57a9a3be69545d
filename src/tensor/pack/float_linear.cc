#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/units.h"
#include "tensor/pack/bulk_products.h"
#include "tensor/pack/packed_forms.h"
#include "tensor/x86/float_kernels.h"

namespace plinth::tensor {

namespace {

// Enough work per hand-out that the counter's cache line does not matter.
constexpr std::int64_t kGroupsPerTask = 4;
constexpr std::int64_t kRowsPerTask = 8;
constexpr std::int64_t kRowsPerPackTask = 64;
// The rows of the last group that do not exist are computed into a buffer of so many tokens.
constexpr int kEdgeTokens = 64;

const FloatKernels& kernels_for(Isa isa) {
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

// Quantised and mixed types become fp32.
FloatStore store_for(std::span<const MatrixView> parts) {
  const auto all = [&](DType dtype) {
    return std::all_of(parts.begin(), parts.end(),
                       [&](const MatrixView& part) { return part.dtype == dtype; });
  };
  if (all(DType::f16)) return FloatStore::f16;
  if (all(DType::bf16)) return FloatStore::bf16;
  return FloatStore::f32;
}

class FloatLinear final : public PackedLinear {
 public:
  FloatLinear(std::span<const MatrixView> parts, const LinearOptions& options)
      : PackedLinear(total_rows(parts), parts[0].columns),
        store_(store_for(parts)),
        kernels_(kernels_for(options.isa)),
        packed_(options.store),
        groups_(base::ceil_div<std::int64_t>(rows(), kFloatRows)),
        group_bytes_(float_group_bytes(store_, columns())) {
    if (store_ == FloatStore::bf16 && options.mode == LinearMode::fast) {
      if (multiplies_bfloat(options.isa)) bfloat_ = multiply_bfloat_avx512;
      bulk_ = bulk_for(options);
    }
  }

  absl::Status pack(std::span<const MatrixView> parts, base::ThreadPool* pool) {
    constexpr std::string_view kForms[] = {"f32", "f16", "bf16"};
    ASSIGN_OR_RETURN(const auto taken,
                     packed_->take(static_cast<std::size_t>(groups_ * group_bytes_),
                                   digest_of(parts, kForms[static_cast<int>(store_)]), pool));
    data_ = taken.bytes;
    if (taken.packed) return absl::OkStatus();
    std::int64_t row = 0;
    for (const auto& part : parts) {
      const auto pack_rows = [&](std::int64_t begin, std::int64_t end) {
        for (auto r = begin; r < end; ++r) pack_row(part, r, row + r);
      };
      if (pool == nullptr) {
        pack_rows(0, part.rows);
      } else {
        pool->parallel_for(part.rows, kRowsPerPackTask, pack_rows);
      }
      row += part.rows;
    }
    return absl::OkStatus();
  }

  std::size_t bytes() const override { return data_.size(); }
  bool shares_activations(const PackedLinear& other) const override {
    const auto* same = dynamic_cast<const FloatLinear*>(&other);
    return same != nullptr && same->columns() == columns() && same->bfloat_ == bfloat_ &&
           same->bulk_.multiply == bulk_.multiply;
  }
  void prepare_made(const float* x, std::int64_t ldx, Rows rows, Activations& out,
                    base::ThreadPool& pool,
                    absl::FunctionRef<void(int row)> make_row) const override {
    auto& a = out.impl();
    const int m = rows.count;
    a.columns = columns();
    if (bulk_.multiply != nullptr) {  // all rows are multiplied as bulk rows are
      return round_bulk(bulk_.round_for_floats, x, ldx, columns(), 0, m, a.tiles, pool, make_row);
    }
    const auto width = bfloat_ == nullptr ? columns() : bfloat_columns(columns());
    const auto need = static_cast<std::size_t>(m * width);
    if (bfloat_ == nullptr && a.floats.size() < need) a.floats.resize(need);
    if (bfloat_ != nullptr && a.bfloats.size() < need) a.bfloats.resize(need);
    pool.parallel_for(m, kRowsPerTask, [&](std::int64_t begin, std::int64_t end) {
      for (auto t = begin; t < end; ++t) {
        make_row(static_cast<int>(t));
        if (bfloat_ == nullptr) {
          std::copy_n(x + t * ldx, width, a.floats.data() + t * width);
          continue;
        }
        std::uint16_t* row = a.bfloats.data() + t * width;
        round_to_bfloat_avx512(x + t * ldx, columns(), row);
        std::fill(row + columns(), row + width, std::uint16_t{0});
      }
    });
  }
  void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                base::ThreadPool& pool) const override {
    const auto& a = x.impl();
    CHECK(a.columns == columns());
    if (m == 0) return;
    if (bulk_.multiply != nullptr) {
      const BulkPart all{nullptr, data_.data(), group_bytes_, 0, this->rows()};
      return multiply_bulk(bulk_.multiply, {&all, 1}, a.tiles.data(), blocks(), m, y, ldy, pool);
    }
    // Where there are enough tokens each thread takes its own, as those of quantised weights do.
    const bool own = m >= kOwnTokens * pool.size();
    const int slab =
        own ? base::round_up(base::ceil_div(m, pool.size()), static_cast<int>(kRowsPerTask)) : m;
    const auto tasks = base::ceil_div(m, slab) * groups_;
    pool.parallel_for(tasks, kGroupsPerTask, [&](std::int64_t begin, std::int64_t end) {
      for (auto task = begin; task < end; ++task) {
        const int first = static_cast<int>(task / groups_) * slab;
        multiply_group(task % groups_, a, first, std::min(m, first + slab), y, ldy);
      }
    });
  }

 private:
  std::int64_t blocks() const { return bfloat_columns(columns()) / kBfloatTile; }

  // Row r of a part as row `row` of the matrix. No other row has its bytes.
  void pack_row(const MatrixView& part, std::int64_t r, std::int64_t row) const {
    const std::uint8_t* stored =
        part.data + static_cast<std::size_t>(r) * row_bytes(part.dtype, part.columns);
    thread_local std::vector<float> values;
    if (store_ == FloatStore::f32) {
      values.resize(static_cast<std::size_t>(columns()));
      dequantize_row(part.dtype, stored, values.data(), columns());
      stored = reinterpret_cast<const std::uint8_t*>(values.data());
    }
    std::uint8_t* group = data_.data() + row / kFloatRows * group_bytes_;
    const auto lane = row % kFloatRows;
    const std::int64_t width = store_ == FloatStore::f32 ? 4 : 2;
    for (std::int64_t c = 0; c < columns(); ++c) {
      const auto place = store_ == FloatStore::bf16 ? (c / 2 * kFloatRows + lane) * 2 + c % 2
                                                    : c * kFloatRows + lane;
      std::memcpy(group + place * width, stored + c * width, static_cast<std::size_t>(width));
    }
  }

  // Tokens [first, first + count) of one group, whose 16 rows all have a place in y.
  void run(std::int64_t g, const Activations::Impl& a, int first, int count, float* y,
           std::int64_t ldy) const {
    const std::uint8_t* group = data_.data() + g * group_bytes_;
    if (bfloat_ != nullptr) {
      const auto width = bfloat_columns(columns());
      bfloat_({group, a.bfloats.data() + first * width, width, count, y, ldy});
      return;
    }
    const FloatTask task{group, a.floats.data() + first * columns(), columns(), count, y, ldy};
    switch (store_) {
      case FloatStore::f32:
        return kernels_.f32(task);
      case FloatStore::f16:
        return kernels_.f16(task);
      case FloatStore::bf16:
        return kernels_.bf16(task);
    }
  }

  // Tokens [first, last). y: of token 0 and row 0.
  void multiply_group(std::int64_t g, const Activations::Impl& a, int first, int last, float* y,
                      std::int64_t ldy) const {
    y += g * kFloatRows;
    const std::int64_t count = std::min<std::int64_t>(kFloatRows, rows() - g * kFloatRows);
    if (count == kFloatRows) return run(g, a, first, last - first, y + first * ldy, ldy);
    float edge[kEdgeTokens * kFloatRows];
    for (; first < last; first += kEdgeTokens) {
      const int part = std::min(kEdgeTokens, last - first);
      run(g, a, first, part, edge, kFloatRows);
      for (int t = 0; t < part; ++t) {
        std::copy_n(edge + t * kFloatRows, count, y + (first + t) * ldy);
      }
    }
  }

  const FloatStore store_;
  const FloatKernels& kernels_;
  void (*bfloat_)(const BfloatTask&) = nullptr;  // instead of kernels_
  BulkKernels bulk_;                             // instead of both
  const std::shared_ptr<PackedStore> packed_;    // of data_
  const std::int64_t groups_, group_bytes_;
  std::span<std::uint8_t> data_;
};

}  // namespace

PackedResult pack_floats(std::span<const MatrixView> parts, const LinearOptions& options) {
  auto packed = std::make_unique<FloatLinear>(parts, options);
  RETURN_IF_ERROR(packed->pack(parts, options.pool));
  return packed;
}

}  // namespace plinth::tensor
