// What a run computes with.
#pragma once

#include <deque>

#include "base/thread_pool.h"
#include "tensor/aligned_scratch.h"
#include "tensor/gemm.h"
#include "tensor/gradient_ops.h"
#include "tensor/isa.h"

namespace plinth::train {

// What one thread of the pool has for work that it does alone.
struct ComputeLane {
  base::ThreadPool alone{1};
  tensor::GemmWorkspace workspace;
  tensor::AlignedScratch<float> scratch;
};

// Not thread-safe: the workspace is used by one product at a time.
struct Compute {
  explicit Compute(base::ThreadPool& pool, tensor::Isa set = tensor::best_isa(),
                   tensor::GemmPrecision products = tensor::GemmPrecision::f32)
      : threads(pool),
        isa(set),
        precision(products),
        lanes(static_cast<std::size_t>(pool.size())) {}

  base::ThreadPool& threads;
  const tensor::Isa isa;
  const tensor::GemmPrecision precision;  // of products; all else is fp32
  const tensor::GradientOps& ops = tensor::gradient_ops_for(isa);
  tensor::GemmWorkspace workspace;
  std::deque<ComputeLane> lanes;  // by thread
};

}  // namespace plinth::train
