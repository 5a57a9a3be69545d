#include "tensor/low_rank.h"

#include <algorithm>

#include "base/check.h"
#include "tensor/x86/low_rank_body.h"

namespace plinth::tensor {

namespace {

// Of one task: enough work to be worth handing to a thread, little enough to share a prompt's rows
// and a wide output among threads.
constexpr int kTaskRows = 32;
constexpr int kTaskBlocks = 8;  // 256 outputs

const LowRankKernels& kernels_for(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return kScalarLowRank;
    case Isa::avx2:
      return kAvx2LowRank;
    case Isa::avx512:
    case Isa::amx:
      return kAvx512LowRank;
  }
  return kScalarLowRank;
}

std::int64_t blocks_of(std::int64_t count, int lanes) { return (count + lanes - 1) / lanes; }

}  // namespace

PackedLowRank PackedLowRank::pack(std::int64_t inputs, std::span<const LowRankPart> parts) {
  PackedLowRank packed;
  packed.inputs_ = inputs;
  std::int32_t ranks = 0;
  std::size_t numbers = 0;
  for (const auto& part : parts) {
    packed.parts_.push_back({part.rank, ranks, part.outputs, part.column, numbers});
    ranks += part.rank;
    numbers +=
        static_cast<std::size_t>(blocks_of(part.outputs, kOutputLanes) * kOutputLanes * part.rank);
  }
  packed.rank_blocks_ = static_cast<std::int32_t>(blocks_of(ranks, kRankLanes));
  packed.a_.resize(static_cast<std::size_t>(packed.rank_blocks_ * inputs * kRankLanes));
  packed.b_.resize(numbers);
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const auto& part = parts[p];
    for (std::int32_t r = 0; r < part.rank; ++r) {
      const auto at = packed.parts_[p].first_rank + r;
      float* to = packed.a_.data() + at / kRankLanes * inputs * kRankLanes + at % kRankLanes;
      for (std::int64_t k = 0; k < inputs; ++k) to[k * kRankLanes] = part.a[r * inputs + k];
    }
    float* b = packed.b_.data() + packed.parts_[p].b;
    for (std::int64_t j = 0; j < part.outputs; ++j) {
      float* block = b + j / kOutputLanes * kOutputLanes * part.rank + j % kOutputLanes;
      for (std::int32_t r = 0; r < part.rank; ++r) {
        block[r * kOutputLanes] = part.b[j * part.rank + r];
      }
    }
  }
  return packed;
}

LowRankProduct::LowRankProduct(Isa isa) : kernels_(kernels_for(isa)) {}

void LowRankProduct::plan(std::span<const LowRankRows> groups) {
  reduces_.clear();
  expands_.clear();
  u_begin_.clear();
  std::int64_t u = 0;
  for (int g = 0; g < static_cast<int>(groups.size()); ++g) {
    const auto& [weights, rows] = groups[static_cast<std::size_t>(g)];
    const int count = static_cast<int>(rows.size());
    u_begin_.push_back(u);
    u += std::int64_t{count} * weights->rank_blocks_ * kRankLanes;
    for (int first = 0; first < count; first += kTaskRows) {
      for (int block = 0; block < weights->rank_blocks_; ++block) {
        reduces_.push_back({g, block, first, std::min(kTaskRows, count - first)});
      }
    }
    for (int p = 0; p < static_cast<int>(weights->parts_.size()); ++p) {
      const auto blocks = static_cast<int>(
          blocks_of(weights->parts_[static_cast<std::size_t>(p)].outputs, kOutputLanes));
      for (int block = 0; block < blocks; block += kTaskBlocks) {
        expands_.push_back({g, p, block, std::min(block + kTaskBlocks, blocks)});
      }
    }
  }
  if (u_.size() < static_cast<std::size_t>(u)) u_.resize(static_cast<std::size_t>(u));
}

void LowRankProduct::add(std::span<const LowRankRows> groups, const float* x, std::int64_t ldx,
                         float* y, std::int64_t ldy, base::ThreadPool& pool) {
  plan(groups);
  const auto u_row = [&](int group, int row) {
    const auto ranks = groups[static_cast<std::size_t>(group)].weights->rank_blocks_ * kRankLanes;
    return u_.data() + u_begin_[static_cast<std::size_t>(group)] + std::int64_t{row} * ranks;
  };
  const auto reduce = [&](const Reduce& task) {
    const auto& [weights, rows] = groups[static_cast<std::size_t>(task.group)];
    const float* a = weights->a_.data() + task.block * weights->inputs_ * kRankLanes;
    for (int i = task.first; i < task.first + task.count; i += kLowRankRows) {
      const float* in[kLowRankRows];
      float* out[kLowRankRows];
      const int count = std::min(kLowRankRows, task.first + task.count - i);
      for (int j = 0; j < count; ++j) {
        in[j] = x + rows[static_cast<std::size_t>(i + j)] * ldx;
        out[j] = u_row(task.group, i + j) + task.block * kRankLanes;
      }
      kernels_.reduce(in, count, a, weights->inputs_, out);
    }
  };
  const auto expand = [&](const Expand& task) {
    const auto& [weights, rows] = groups[static_cast<std::size_t>(task.group)];
    const auto& part = weights->parts_[static_cast<std::size_t>(task.part)];
    const int size = static_cast<int>(rows.size());
    for (int block = task.first_block; block < task.end_block; ++block) {
      const std::int64_t first = std::int64_t{block} * kOutputLanes;
      const float* b = weights->b_.data() + part.b + first * part.rank;
      const auto outputs =
          static_cast<int>(std::min<std::int64_t>(kOutputLanes, part.outputs - first));
      for (int i = 0; i < size; i += kLowRankRows) {
        const float* in[kLowRankRows];
        float* out[kLowRankRows];
        const int count = std::min(kLowRankRows, size - i);
        for (int j = 0; j < count; ++j) {
          in[j] = u_row(task.group, i + j) + part.first_rank;
          out[j] = y + rows[static_cast<std::size_t>(i + j)] * ldy + part.column + first;
        }
        kernels_.expand(in, count, b, part.rank, outputs, out);
      }
    }
  };
  const auto each = [&](const auto& tasks, const auto& body) {
    pool.parallel_for(static_cast<std::int64_t>(tasks.size()), 1,
                      [&](std::int64_t begin, std::int64_t end) {
                        for (auto i = begin; i < end; ++i) body(tasks[static_cast<std::size_t>(i)]);
                      });
  };
  each(reduces_, reduce);
  each(expands_, expand);
}

}  // namespace plinth::tensor
