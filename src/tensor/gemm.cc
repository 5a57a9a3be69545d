#include "tensor/gemm.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "base/units.h"
#include "tensor/x86/gemm_kernels.h"

namespace plinth::tensor {

using base::ceil_div;
using base::round_up;

namespace {

// Of k in one chunk, at most. What a thread packs of A over so much of k fits its second-level
// cache with rows enough, and C is read and written once for so many multiply-adds.
constexpr std::int64_t kChunkK = 2048;
// Of packed B in one chunk: what all threads read stays in the third-level cache.
constexpr std::int64_t kChunkBytes = 8 << 20;
// Columns of an operand whose rows are read one after the other, for one thread at a time: as long
// a piece of each row as the hardware fetches ahead.
constexpr std::int64_t kPackWidth = 512;
// Of packing, for one thread at a time: enough that handing it out costs little.
constexpr std::int64_t kPackNumbers = 16 << 10;
// What a thread works in lies in a page of its own.
constexpr std::size_t kHugePage = 2 << 20;
// Tasks for each thread, at least: enough to even out a thread that lost its core for a
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

// Panels [first, first + count) of `width`, steps of k from some of its places on.
struct Packing {
  const Side& side;
  const GemmKernel& kernel;
  Span width, k;
  std::byte* to = nullptr;

  std::int64_t panels() const { return ceil_div<std::int64_t>(width.size(), side.panel); }
  void pack(Span some_panels, Span some_k) const {
    PackTask task;
    task.from = side.from;
    task.along_k = side.along_k;
    task.width = width.last;
    task.k = k.last;
    task.panel_bytes = kernel.panel_bytes(side.panel, k.size());
    task.first = width.first + some_panels.first * side.panel;
    task.last = std::min(width.first + some_panels.last * side.panel, width.last);
    task.k_first = some_k.first;
    task.k_last = some_k.last;
    task.to = to + some_panels.first * task.panel_bytes +
              kernel.panel_bytes(side.panel, some_k.first - k.first);
    side.pack(task);
  }
  void pack_all() const { pack({0, panels()}, k); }
  void pack_all(base::ThreadPool& pool) const;
};

void Packing::pack_all(base::ThreadPool& pool) const {
  if (side.along_k) {
    const auto grain = std::max<std::int64_t>(1, kPackNumbers / (k.size() * side.panel));
    pool.parallel_for(panels(), grain, [&](std::int64_t begin, std::int64_t end) {
      pack({begin, end}, k);
    });
    return;
  }
  const auto group = std::min(panels(), kPackWidth / side.panel),
             groups = ceil_div(panels(), group);
  const auto grain = std::max<std::int64_t>(1, kPackNumbers / (group * side.panel * kGemmStep));
  const auto pieces = ceil_div(ceil_div(k.size(), kGemmStep), grain);
  pool.parallel_for(groups * pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto first = i / pieces * group, step = k.first + i % pieces * grain * kGemmStep;
      pack({first, std::min(first + group, panels())},
           {step, std::min(step + grain * kGemmStep, k.last)});
    }
  });
}

// The tasks of one chunk. The rows of one follow each other in memory, so that a thread finds the
// rows of A that it has packed for one task in its cache for the next.
struct Grid {
  std::int64_t rows = 0, columns = 0;  // of one task
  std::int64_t down = 0, across = 0;   // tasks

  Grid(const GemmKernel& kernel, std::int64_t m, std::int64_t n, std::int64_t k, int threads) {
    const auto wanted = threads == 1 ? 1 : kHandOuts * threads;
    const auto panels = ceil_div<std::int64_t>(m, kernel.rows);
    const auto panels_across = ceil_div<std::int64_t>(n, kernel.columns);
    // As many for each thread, so that two threads pack the same rows only where one helps.
    down = std::min(panels, round_up<std::int64_t>(ceil_div(m, kernel.rows_of_block(k)), threads));
    across = std::min(panels_across, ceil_div(wanted, down));
    // Few columns: more of the rows.
    if (down * across < wanted) down = std::min(panels, ceil_div(wanted, across));
    rows = ceil_div(panels, down) * kernel.rows;
    columns = ceil_div(panels_across, across) * kernel.columns;
    down = ceil_div(m, rows);
    across = ceil_div(n, columns);
  }
};

}  // namespace

struct GemmWorkspace::Impl {
  AlignedScratch<std::byte> b;
  // For each thread: the rows of A that it has packed, and the kernel's scratch.
  AlignedScratch<std::byte> threads;
  // Which rows those are, in lines of the threads' own.
  struct alignas(64) Packed {
    Span rows, ks;
  };
  std::vector<Packed> packed;
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
        // As even as they can be.
        chunk_k_(round_up(ceil_div(product.k, ceil_div(product.k, kChunkK)), kGemmStep)),
        block_bytes_(kernel.rows_of_block(chunk_k_) / kernel.rows *
                     kernel.panel_bytes(kernel.rows, chunk_k_)),
        thread_bytes_(round_up(block_bytes_ + kernel.scratch_bytes, kHugePage)) {}

  void all() {
    memory_.packed.assign(static_cast<std::size_t>(pool_.size()), {});
    memory_.threads.reserve(thread_bytes_ * static_cast<std::size_t>(pool_.size()));
    auto chunk_n = product_.n;
    if (product_.packed_b == nullptr) {
      const auto panels = kChunkBytes / kernel_.panel_bytes(kernel_.columns, chunk_k_);
      chunk_n = std::min(chunk_n, std::max<std::int64_t>(panels, 1) * kernel_.columns);
    }
    for (std::int64_t k = 0; k < product_.k; k += chunk_k_) {
      const Span ks{k, std::min(k + chunk_k_, product_.k)};
      for (std::int64_t n = 0; n < product_.n; n += chunk_n) {
        const Span ns{n, std::min(n + chunk_n, product_.n)};
        if (product_.packed_b == nullptr) pack_b(ns, ks);
        multiply(ns, ks);
      }
    }
  }

 private:
  void pack_b(Span ns, Span ks) {
    Packing packing{b_, kernel_, ns, ks};
    packing.to = memory_.b.reserve(static_cast<std::size_t>(
        packing.panels() * kernel_.panel_bytes(kernel_.columns, ks.size())));
    packing.pack_all(pool_);
  }

  void multiply(Span ns, Span ks) {
    GemmTask all;
    all.a_panel_bytes = kernel_.panel_bytes(kernel_.rows, ks.size());
    all.b = memory_.b.data();
    all.b_panel_bytes = kernel_.panel_bytes(kernel_.columns, ks.size());
    if (product_.packed_b != nullptr) {
      all.b = product_.packed_b->data() + kernel_.panel_bytes(kernel_.columns, ks.first);
      all.b_panel_bytes = kernel_.panel_bytes(kernel_.columns, product_.k);
    }
    all.k = ks.size();
    all.c = product_.c + ns.first;
    all.ldc = product_.ldc;
    all.from_zero = !product_.accumulate && ks.first == 0;
    const Grid grid(kernel_, product_.m, ns.size(), ks.size(), pool_.size());
    pool_.parallel_for_threads(
        grid.down * grid.across, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
          for (auto i = begin; i < end; ++i) {
            multiply_block(all, grid, i, ns, ks, static_cast<std::size_t>(thread));
          }
        });
  }
  void multiply_block(const GemmTask& all, const Grid& grid, std::int64_t i, Span ns, Span ks,
                      std::size_t thread) {
    const auto row = i / grid.across * grid.rows, column = i % grid.across * grid.columns;
    GemmTask task = all;
    task.rows = std::min(grid.rows, product_.m - row);
    task.columns = std::min(grid.columns, ns.size() - column);
    task.a = packed_a({row, row + task.rows}, ks, thread);
    task.b += column / kernel_.columns * task.b_panel_bytes;
    task.c += row * task.ldc + column;
    task.scratch = memory_.threads.data() + thread_bytes_ * thread + block_bytes_;
    kernel_.multiply(task);
  }
  const std::byte* packed_a(Span rows, Span ks, std::size_t thread) {
    std::byte* to = memory_.threads.data() + thread_bytes_ * thread;
    auto& held = memory_.packed[thread];
    if (held.rows == rows && held.ks == ks) return to;
    Packing{a_, kernel_, rows, ks, to}.pack_all();
    held.rows = rows;
    held.ks = ks;
    return to;
  }

  const Gemm& product_;
  const GemmKernel& kernel_;
  GemmWorkspace::Impl& memory_;
  base::ThreadPool& pool_;
  const Side a_, b_;
  const std::int64_t chunk_k_;
  const std::size_t block_bytes_, thread_bytes_;
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
  packed.repack(b, pool);
  return packed;
}

void PackedOperand::repack(const GemmOperand& b, base::ThreadPool& pool) {
  if (k_ == 0 || n_ == 0) return;
  check_operand(b);
  const GemmKernel& kernel = gemm_kernel(precision_, isa_);
  const Side side = side_b(b, n_, kernel);
  Packing packing{side, kernel, {0, n_}, {0, k_}};
  bytes_ = static_cast<std::size_t>(packing.panels() * kernel.panel_bytes(kernel.columns, k_));
  packing.to = data_.reserve(bytes_);
  packing.pack_all(pool);
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
