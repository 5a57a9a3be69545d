// What a run computes with.
#pragma once

#include "base/thread_pool.h"
#include "tensor/gemm.h"
#include "tensor/isa.h"

namespace plinth::train {

// Not thread-safe: the workspace is used by one product at a time.
struct Compute {
  explicit Compute(base::ThreadPool& pool, tensor::Isa set = tensor::best_isa(),
                   tensor::GemmPrecision products = tensor::GemmPrecision::f32)
      : threads(pool), isa(set), precision(products) {}

  base::ThreadPool& threads;
  const tensor::Isa isa;
  const tensor::GemmPrecision precision;  // of products; all else is fp32
  tensor::GemmWorkspace workspace;
};

}  // namespace plinth::train
