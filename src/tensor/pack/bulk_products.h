// Bulk products of a packed matrix, shared out among the threads.
#pragma once

#include <cstdint>
#include <span>

#include "absl/functional/function_ref.h"
#include "base/thread_pool.h"
#include "tensor/aligned_scratch.h"
#include "tensor/linear.h"
#include "tensor/x86/bulk_kernels.h"

namespace plinth::tensor {

// Some rows of a packed matrix, in tiles of 16.
struct BulkPart {
  const CompactForm* form = nullptr;  // null: BF16, as float_kernels.h says
  const std::uint8_t* tiles = nullptr;
  std::int64_t tile_bytes = 0;
  std::int64_t row = 0;  // of the matrix, where this part begins
  std::int64_t rows = 0;
};

// Rows [first, first + m) of x, each of which make_row makes, as bulk_place() says.
void round_bulk(BulkRound round, const float* x, std::int64_t ldx, std::int64_t columns, int first,
                int m, AlignedScratch<std::uint16_t>& tiles, base::ThreadPool& pool,
                absl::FunctionRef<void(int row)> make_row);

// x: the activations of m tokens, as bulk_place() says. y: [m, ldy].
void multiply_bulk(BulkProduct product, std::span<const BulkPart> parts, const std::uint16_t* x,
                   std::int64_t blocks, int m, float* y, std::int64_t ldy, base::ThreadPool& pool);

// What becomes of the outputs of a product with two halves: joined, then rounded for the next one.
struct BulkJoin {
  JoinHalves join;
  BulkRound round;
  std::int64_t blocks = 0;       // of the next product
  std::uint16_t* out = nullptr;  // as bulk_place() says
};

// halves: two parts of as many rows, a multiple of 32.
void multiply_bulk_halves(BulkProduct product, std::span<const BulkPart> halves,
                          const std::uint16_t* x, std::int64_t blocks, int m,
                          const BulkJoin& joined, base::ThreadPool& pool);

}  // namespace plinth::tensor
