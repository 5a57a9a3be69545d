// y = x W^T with W quantised and packed once at load for one instruction set.
//
// For one weight type and instruction set there is one arithmetic, and on AMX a second one for bulk
// rows, which the caller names: the same activation blocks, block order and fused operations for
// any number of rows of x and any number of threads, so a token's bits do not depend on what else
// is in the batch (docs/decisions/0004).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "tensor/dtype.h"
#include "tensor/isa.h"
#include "tensor/packed_store.h"
#include "tensor/tuner.h"

namespace plinth::tensor {

// fast: integer dot products over 8-bit activations where the ISA has them.
// exact: fp32 activations and fp32 accumulation over dequantised weights (reference and goldens).
enum class LinearMode { fast, exact };

// The rows of one product. Those from bulk_from on may be multiplied in another arithmetic, which
// is faster where there are many (tensor/x86/bulk_kernels.h); it is theirs however few they are.
struct Rows {
  int count = 0;
  int bulk_from = 0;
  // Every row is multiplied alike.
  Rows(int m) : count(m), bulk_from(m) {}  // NOLINT(google-explicit-constructor)
  Rows(int m, int from) : count(m), bulk_from(from) {}
};

struct LinearOptions {
  Isa isa = Isa::scalar;
  LinearMode mode = LinearMode::fast;
  base::ThreadPool* pool = nullptr;  // packs on its threads where given
  // Where the packed bytes go: shared by the matrices of one model, or of the matrix's own.
  std::shared_ptr<PackedStore> store = nullptr;
  Tuner* tuner = nullptr;  // chooses the blocking where given, and needs the pool
  // Bulk rows by the scalar reference of their arithmetic, whatever the set: for tests.
  bool bulk_reference = false;
};

// Activations of m tokens, prepared once and shared by the matrices that read the same x (q, k, v;
// gate and up). Grow-only scratch: reuse one per call site. Not thread-safe.
class Activations {
 public:
  Activations();
  ~Activations();
  Activations(Activations&&) noexcept;
  Activations& operator=(Activations&&) noexcept;
  struct Impl;
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// Makes one number of each two: a[i], and leaves it there, and b[i], which are outputs first + i of
// the two halves of a product, of one row.
using JoinHalves =
    absl::FunctionRef<void(std::int64_t first, std::int64_t count, float* a, float* b)>;

// Immutable after pack(): any number of threads may read it.
class PackedLinear {
 public:
  virtual ~PackedLinear() = default;
  std::int64_t rows() const { return rows_; }        // output features
  std::int64_t columns() const { return columns_; }  // input features
  virtual std::size_t bytes() const = 0;             // resident memory, for the memory budget

  // Prepares x: [rows.count, columns] fp32 row-major with leading dimension ldx (elements), in the
  // form that this matrix reads. Matrices for which shares_activations(other) holds may use it too.
  void prepare(const float* x, std::int64_t ldx, Rows rows, Activations& out,
               base::ThreadPool& pool) const {
    prepare_made(x, ldx, rows, out, pool, [](int) {});
  }
  // The same, where make_row(t) first makes row t of x: once, on the thread that then reads it, so
  // that the row is still in its cache and making needs no loop of its own.
  virtual void prepare_made(const float* x, std::int64_t ldx, Rows rows, Activations& out,
                            base::ThreadPool& pool,
                            absl::FunctionRef<void(int row)> make_row) const = 0;
  virtual bool shares_activations(const PackedLinear& other) const = 0;
  // y: [m, rows] fp32 with leading dimension ldy, of the m rows that were prepared. Overwrites y.
  virtual void multiply(const Activations& x, int m, float* y, std::int64_t ldy,
                        base::ThreadPool& pool) const = 0;
  // multiply(), join() of its outputs' two halves, and next.prepare() of what came of it, all with
  // their bits, a part of the outputs at a time, which never reach memory. False, and nothing is
  // done, where these matrices or rows are not to be had so.
  virtual bool multiply_into(const Activations& /*x*/, int /*m*/, JoinHalves /*join*/,
                             const PackedLinear& /*next*/, Activations& /*out*/,
                             base::ThreadPool& /*pool*/) const {
    return false;
  }

 protected:
  PackedLinear(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {}

 private:
  const std::int64_t rows_;
  const std::int64_t columns_;
};

// Whether bulk rows of quantised weights have an arithmetic of their own.
bool multiplies_bulk_apart(const LinearOptions& options);

// Packs `parts` stacked along rows (for example q, k and v) into one matrix, or finds it packed in
// the store; the stored bytes are not referenced afterwards. The parts agree in columns; mixed
// dtypes are allowed. InvalidArgument where columns do not fit the dtype's block.
absl::StatusOr<std::unique_ptr<PackedLinear>> pack_linear(std::span<const MatrixView> parts,
                                                          const LinearOptions& options);

// Rows of W gathered by index and dequantised (token embedding). out: [ids.size(), columns].
void gather_rows(const MatrixView& table, std::span<const std::int32_t> ids, float* out);

}  // namespace plinth::tensor
