#include "tensor/gemm.h"

#include <algorithm>

#include "base/check.h"
#include "base/units.h"
#include "tensor/x86/gemm_kernels.h"

namespace plinth::tensor {

using base::ceil_div;
using base::round_up;

namespace {

// Of k in one chunk, for each row or column: C is read and written once for so many multiply-adds.
constexpr std::int64_t kChunkKBytes = 8 << 10;
// Of either packed operand in one chunk: what all threads share stays in the third-level cache.
constexpr std::int64_t kChunkBytes = 8 << 20;
// Columns of an operand whose rows are read one after the other, for one thread at a time: as long
// a piece of each row as the hardware fetches ahead.
constexpr std::int64_t kPackWidth = 512;
// Of packing, for one thread at a time: enough that handing it out costs little.
constexpr std::int64_t kPackNumbers = 16 << 10;
// Blocks of C for each thread, at least: enough to even out a thread that lost its core for a
// while.
constexpr std::int64_t kHandOuts = 3;

// One operand of one product.
struct Side {
  GemmOperand from;
  bool along_k = false;
  std::int64_t width = 0;
  int panel = 0;  // rows or columns of one panel
  void (*pack)(const PackTask&) = nullptr;
};

Side side_a(const GemmOperand& a, std::int64_t m, const GemmKernel& kernel) {
  return {a, !a.transposed, m, kernel.rows, kernel.pack_a};
}
Side side_b(const GemmOperand& b, std::int64_t n, const GemmKernel& kernel) {
  return {b, b.transposed, n, kernel.columns, kernel.pack_b};
}

// Part of one dimension.
struct Span {
  std::int64_t first = 0, last = 0;
  std::int64_t size() const { return last - first; }
  bool operator==(const Span&) const = default;
};

void pack_span(const Side& side, const GemmKernel& kernel, Span width, Span k, std::byte* to,
               base::ThreadPool& pool) {
  PackTask all;
  all.from = side.from;
  all.along_k = side.along_k;
  all.width = width.last;
  all.k = k.last;
  all.panel_bytes = kernel.panel_bytes(side.panel, k.size());
  const auto panels = ceil_div<std::int64_t>(width.size(), side.panel);
  const auto pack = [&](Span some_panels, Span some_k) {
    PackTask task = all;
    task.first = width.first + some_panels.first * side.panel;
    task.last = std::min(width.first + some_panels.last * side.panel, width.last);
    task.k_first = some_k.first;
    task.k_last = some_k.last;
    task.to = to + some_panels.first * all.panel_bytes +
              kernel.panel_bytes(side.panel, some_k.first - k.first);
    side.pack(task);
  };
  if (side.along_k) {
    const auto grain = std::max<std::int64_t>(1, kPackNumbers / (k.size() * side.panel));
    pool.parallel_for(panels, grain, [&](std::int64_t begin, std::int64_t end) {
      pack({begin, end}, k);
    });
    return;
  }
  const auto group = std::min(panels, kPackWidth / side.panel), groups = ceil_div(panels, group);
  const auto steps = ceil_div(k.size(), kGemmStep);
  const auto grain = std::max<std::int64_t>(1, kPackNumbers / (group * side.panel * kGemmStep));
  const auto pieces = ceil_div(steps, grain);
  pool.parallel_for(groups * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto first = i / pieces * group, step = k.first + i % pieces * grain * kGemmStep;
      pack({first, std::min(first + group, panels)},
           {step, std::min(step + grain * kGemmStep, k.last)});
    }
  });
}

// How many rows or columns of one operand a chunk has.
std::int64_t chunk_width(std::int64_t k, int panel, const GemmKernel& kernel) {
  const auto panels = kChunkBytes / kernel.panel_bytes(panel, k);
  return std::max<std::int64_t>(panels, 1) * panel;
}

// The blocks of C of one chunk, one for each task.
struct Grid {
  std::int64_t rows = 0, columns = 0;  // of one block
  std::int64_t down = 0, across = 0;   // blocks

  Grid(const GemmKernel& kernel, std::int64_t m, std::int64_t n, int threads) {
    down = ceil_div(m, kernel.block_rows);
    across = ceil_div(n, kernel.block_columns);
    const auto wanted = threads == 1 ? 1 : kHandOuts * threads;
    shape(kernel, m, n);
    while (down * across < wanted && (rows > 2 * kernel.rows || columns > 2 * kernel.columns)) {
      const bool wide = columns > 2 * kernel.columns && columns >= rows;
      (wide || rows <= 2 * kernel.rows ? across : down) += 1;
      shape(kernel, m, n);
    }
    down = ceil_div(m, rows);
    across = ceil_div(n, columns);
  }

 private:
  void shape(const GemmKernel& kernel, std::int64_t m, std::int64_t n) {
    rows = round_up<std::int64_t>(ceil_div(m, down), kernel.rows);
    columns = round_up<std::int64_t>(ceil_div(n, across), kernel.columns);
  }
};

}  // namespace

struct GemmWorkspace::Impl {
  AlignedScratch<std::byte> a, b;
  AlignedScratch<std::byte> threads;
};

GemmWorkspace::GemmWorkspace() : impl_(std::make_unique<Impl>()) {}
GemmWorkspace::~GemmWorkspace() = default;
GemmWorkspace::GemmWorkspace(GemmWorkspace&&) noexcept = default;
GemmWorkspace& GemmWorkspace::operator=(GemmWorkspace&&) noexcept = default;

namespace {

// One product on its way through the chunks.
class Run {
 public:
  Run(const Gemm& product, const GemmKernel& kernel, GemmWorkspace::Impl& memory,
      base::ThreadPool& pool)
      : product_(product),
        kernel_(kernel),
        memory_(memory),
        pool_(pool),
        a_(side_a(product.a, product.m, kernel)),
        b_(side_b(product.b, product.n, kernel)),
        chunk_k_(std::min(round_up(product.k, kGemmStep), kChunkKBytes / kernel.number_bytes)),
        chunk_m_(chunk_width(chunk_k_, kernel.rows, kernel)),
        chunk_n_(product.packed_b != nullptr ? product.n
                                             : chunk_width(chunk_k_, kernel.columns, kernel)) {}

  void all() {
    memory_.threads.reserve(kernel_.scratch_bytes * static_cast<std::size_t>(pool_.size()));
    for (std::int64_t k = 0; k < product_.k; k += chunk_k_) {
      const Span ks{k, std::min(k + chunk_k_, product_.k)};
      for (std::int64_t n = 0; n < product_.n; n += chunk_n_) {
        const Span ns{n, std::min(n + chunk_n_, product_.n)};
        pack_b(ns, ks);
        for (std::int64_t m = 0; m < product_.m; m += chunk_m_) {
          const Span ms{m, std::min(m + chunk_m_, product_.m)};
          pack_a(ms, ks);
          multiply(ms, ns, ks);
        }
      }
    }
  }

 private:
  std::byte* reserve(AlignedScratch<std::byte>& memory, const Side& side, Span width, Span k) {
    const auto panels = ceil_div<std::int64_t>(width.size(), side.panel);
    return memory.reserve(
        static_cast<std::size_t>(panels * kernel_.panel_bytes(side.panel, k.size())));
  }
  void pack_b(Span ns, Span ks) {
    if (product_.packed_b != nullptr) return;
    pack_span(b_, kernel_, ns, ks, reserve(memory_.b, b_, ns, ks), pool_);
  }
  // A stays packed where all columns want the same part of it.
  void pack_a(Span ms, Span ks) {
    if (packed_m_ == ms && packed_k_ == ks) return;
    pack_span(a_, kernel_, ms, ks, reserve(memory_.a, a_, ms, ks), pool_);
    packed_m_ = ms;
    packed_k_ = ks;
  }

  void multiply(Span ms, Span ns, Span ks) {
    GemmTask all;
    all.a = memory_.a.data();
    all.a_panel_bytes = kernel_.panel_bytes(kernel_.rows, ks.size());
    all.b = memory_.b.data();
    all.b_panel_bytes = kernel_.panel_bytes(kernel_.columns, ks.size());
    if (product_.packed_b != nullptr) {
      all.b = product_.packed_b->data() + kernel_.panel_bytes(kernel_.columns, ks.first);
      all.b_panel_bytes = kernel_.panel_bytes(kernel_.columns, product_.k);
    }
    all.k = ks.size();
    all.c = product_.c + ms.first * product_.ldc + ns.first;
    all.ldc = product_.ldc;
    all.from_zero = !product_.accumulate && ks.first == 0;
    const Grid grid(kernel_, ms.size(), ns.size(), pool_.size());
    pool_.parallel_for_threads(grid.down * grid.across, 1,
                               [&](std::int64_t begin, std::int64_t end, int thread) {
                                 for (auto i = begin; i < end; ++i)
                                   multiply_block(all, grid, i, ms, ns, thread);
                               });
  }
  void multiply_block(const GemmTask& all, const Grid& grid, std::int64_t i, Span ms, Span ns,
                      int thread) {
    const auto row = i / grid.across * grid.rows, column = i % grid.across * grid.columns;
    GemmTask task = all;
    task.rows = std::min(grid.rows, ms.size() - row);
    task.columns = std::min(grid.columns, ns.size() - column);
    task.a += row / kernel_.rows * task.a_panel_bytes;
    task.b += column / kernel_.columns * task.b_panel_bytes;
    task.c += row * task.ldc + column;
    task.scratch =
        memory_.threads.data() + kernel_.scratch_bytes * static_cast<std::size_t>(thread);
    kernel_.multiply(task);
  }

  const Gemm& product_;
  const GemmKernel& kernel_;
  GemmWorkspace::Impl& memory_;
  base::ThreadPool& pool_;
  const Side a_, b_;
  const std::int64_t chunk_k_, chunk_m_, chunk_n_;
  Span packed_m_, packed_k_;  // what memory_.a holds
};

void clear(const Gemm& product) {
  for (std::int64_t r = 0; r < product.m; ++r) {
    std::fill_n(product.c + r * product.ldc, product.n, 0.0f);
  }
}

void check_operand(const GemmOperand& x) {
  CHECK(x.dtype == DType::f32 || x.dtype == DType::bf16);
  CHECK(x.data != nullptr);
}

}  // namespace

const GemmKernel& gemm_kernel(GemmPrecision precision, Isa isa) {
  const bool rounded = precision == GemmPrecision::bf16;
  if (rounded && isa == Isa::amx) return kGemmAmx;
  if (rounded && multiplies_bfloat(isa)) return kGemmBfloatAvx512;
  if (isa >= Isa::avx512) return rounded ? kGemmAvx512Rounded : kGemmAvx512;
  if (isa == Isa::avx2) return rounded ? kGemmAvx2Rounded : kGemmAvx2;
  return rounded ? kGemmScalarRounded : kGemmScalar;
}

PackedOperand PackedOperand::pack(const GemmOperand& b, std::int64_t k, std::int64_t n,
                                  GemmPrecision precision, Isa isa, base::ThreadPool& pool) {
  PackedOperand packed;
  packed.k_ = k;
  packed.n_ = n;
  packed.precision_ = precision;
  packed.isa_ = isa;
  if (k == 0 || n == 0) return packed;
  check_operand(b);
  const GemmKernel& kernel = gemm_kernel(precision, isa);
  packed.bytes_ = static_cast<std::size_t>(ceil_div<std::int64_t>(n, kernel.columns) *
                                           kernel.panel_bytes(kernel.columns, k));
  pack_span(side_b(b, n, kernel), kernel, {0, n}, {0, k}, packed.data_.reserve(packed.bytes_),
            pool);
  return packed;
}

void gemm(const Gemm& product, GemmPrecision precision, Isa isa, GemmWorkspace& workspace,
          base::ThreadPool& pool) {
  CHECK(product.m >= 0 && product.n >= 0 && product.k >= 0);
  if (product.m == 0 || product.n == 0) return;
  if (product.k == 0) {
    if (!product.accumulate) clear(product);
    return;
  }
  check_operand(product.a);
  if (const PackedOperand* packed = product.packed_b; packed != nullptr) {
    CHECK(packed->k() == product.k && packed->n() == product.n);
    CHECK(packed->precision() == precision && packed->isa() == isa);
  } else {
    check_operand(product.b);
  }
  Run(product, gemm_kernel(precision, isa), workspace.impl(), pool).all();
}

}  // namespace plinth::tensor
