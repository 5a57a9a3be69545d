// y += x A^T B^T for some rows of a batch and matrices of low rank: what adapters add to a product.
// All fp32.
//
// A number of u = x A^T is four partial sums over k = 0, 4, 8, ..., k = 1, 5, 9, ... and so on,
// added as (0 + 1) + (2 + 3); a number of y gets one sum over the rank added to it. So a row's bits
// depend on its own numbers and the matrices: not on other rows, on their number, nor on the
// threads. Within one instruction set, that is: not all of them fuse additions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/isa.h"

namespace plinth::tensor {

// One matrix B A beside a matrix of the model.
struct LowRankPart {
  std::int32_t rank = 0;
  std::int64_t outputs = 0;
  const float* a = nullptr;  // [rank, inputs]
  const float* b = nullptr;  // [outputs, rank]
  std::int64_t column = 0;   // of y, where its outputs begin
};

// The parts that read the same x, as the kernels read them: all A stacked. Immutable.
class PackedLowRank {
 public:
  static PackedLowRank pack(std::int64_t inputs, std::span<const LowRankPart> parts);
  std::int64_t inputs() const { return inputs_; }
  std::size_t bytes() const { return (a_.size() + b_.size()) * sizeof(float); }

 private:
  friend class LowRankProduct;
  struct Part {
    std::int32_t rank, first_rank;  // among all parts'
    std::int64_t outputs, column;
    std::size_t b;  // where it begins
  };
  std::int64_t inputs_ = 0;
  std::int32_t rank_blocks_ = 0;
  std::vector<Part> parts_;
  std::vector<float> a_;  // [rank blocks, inputs, kRankLanes], zero where there is no rank
  std::vector<float> b_;  // by part: [output blocks, rank, kOutputLanes], likewise
};

// Rows of x and y that take the same adapter.
struct LowRankRows {
  const PackedLowRank* weights = nullptr;
  std::span<const int> rows;
};

// Keeps its scratch between calls: a call like an earlier one allocates nothing. Not thread-safe.
class LowRankProduct {
 public:
  explicit LowRankProduct(Isa isa);
  // x: leading dimension ldx; y: ldy, which has the parts' columns. No row is in two groups.
  void add(std::span<const LowRankRows> groups, const float* x, std::int64_t ldx, float* y,
           std::int64_t ldy, base::ThreadPool& pool);

 private:
  struct Reduce {
    int group, block, first, count;
  };
  struct Expand {
    int group, part, first_block, end_block;
  };
  void plan(std::span<const LowRankRows> groups);

  const struct LowRankKernels& kernels_;
  std::vector<Reduce> reduces_;
  std::vector<Expand> expands_;
  std::vector<std::int64_t> u_begin_;  // of each group, in u_
  std::vector<float> u_;               // [rows, ranks] of each group
};

}  // namespace plinth::tensor
