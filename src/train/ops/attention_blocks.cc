#include "train/ops/attention_blocks.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "train/ops/dot.h"
#include "train/rows.h"

namespace plinth::train {

namespace {

// Queries at a time: their scores over 2,000 positions are 2 MB.
constexpr std::int64_t kQueries = 256;

// Some queries of one head of a document, and the positions that any of them attends to.
struct Block {
  std::int64_t begin = 0, end = 0;  // of the queries, in the document
  std::int64_t first = 0;           // position; the last is end - 1
  std::int64_t queries() const { return end - begin; }
  std::int64_t positions() const { return end - first; }
};

class Head {
 public:
  Head(Compute& compute, const Var<float>& q, const Var<float>& k, const AttentionShape& shape,
       const Document& document, std::int64_t head)
      : compute_(compute),
        shape_(shape),
        stride_(q.columns),
        kv_stride_(k.columns),
        at_(document.begin * q.columns + head * shape.head_width),
        kv_at_(document.begin * k.columns +
               head / (shape.heads / shape.kv_heads) * shape.head_width) {}

  std::int64_t at(std::int64_t query) const { return at_ + query * stride_; }
  std::int64_t kv_at(std::int64_t position) const { return kv_at_ + position * kv_stride_; }

  // out: [queries, positions] = rows x columns^T, of arrays as q and as k.
  void scores(const float* rows, const float* columns, const Block& block, float* out) const {
    tensor::Gemm gemm;
    gemm.m = block.queries();
    gemm.n = block.positions();
    gemm.k = shape_.head_width;
    gemm.a = {rows + at(block.begin), stride_};
    gemm.b = {columns + kv_at(block.first), kv_stride_, true};
    gemm.c = out;
    gemm.ldc = block.positions();
    run(gemm);
  }
  // to (+)= weights x values, of arrays as q and as k.
  void weigh(const float* weights, const float* values, const Block& block, bool accumulate,
             float* to) const {
    tensor::Gemm gemm;
    gemm.m = block.queries();
    gemm.n = shape_.head_width;
    gemm.k = block.positions();
    gemm.a = {weights, block.positions()};
    gemm.b = {values + kv_at(block.first), kv_stride_};
    gemm.c = to + at(block.begin);
    gemm.ldc = stride_;
    gemm.accumulate = accumulate;
    run(gemm);
  }
  // to += weights^T x values, of arrays as k and as q.
  void weigh_back(const float* weights, const float* values, const Block& block, float* to) const {
    tensor::Gemm gemm;
    gemm.m = block.positions();
    gemm.n = shape_.head_width;
    gemm.k = block.queries();
    gemm.a = {weights, block.positions(), true};
    gemm.b = {values + at(block.begin), stride_};
    gemm.c = to + kv_at(block.first);
    gemm.ldc = kv_stride_;
    gemm.accumulate = true;
    run(gemm);
  }
  // Calls body(query, its row of the scores, first and last position that it attends to), and
  // makes the others 0.
  template <typename Body>
  void for_queries(const Block& block, float* scores, const Body& body) const {
    for_rows(compute_.threads, block.queries(), [&](std::int64_t row) {
      const auto query = block.begin + row;
      float* own = scores + row * block.positions() - block.first;
      const auto first =
          shape_.window > 0 ? std::max(block.first, query - shape_.window + 1) : block.first;
      std::fill(own + block.first, own + first, 0.0f);
      std::fill(own + query + 1, own + block.end, 0.0f);
      body(query, own, first, query);
    });
  }
  // A score as it enters the softmax.
  float shaped(float product) const {
    const auto cap = static_cast<float>(shape_.softcap);
    const float score = product * static_cast<float>(shape_.scale);
    return cap > 0 ? cap * std::tanh(score / cap) : score;
  }
  // What its gradient is multiplied by on the way to the product.
  float slope(float score) const {
    const auto cap = static_cast<float>(shape_.softcap);
    const auto scale = static_cast<float>(shape_.scale);
    return cap > 0 ? scale * (1 - (score / cap) * (score / cap)) : scale;
  }

 private:
  void run(const tensor::Gemm& gemm) const {
    tensor::gemm(gemm, compute_.precision, compute_.isa, compute_.workspace, compute_.threads);
  }
  Compute& compute_;
  const AttentionShape& shape_;
  const std::int64_t stride_, kv_stride_, at_, kv_at_;
};

template <typename Body>
void for_blocks(const AttentionShape& shape, const Document& document, const Body& body) {
  for (std::int64_t begin = 0; begin < document.tokens; begin += kQueries) {
    const auto first = shape.window > 0 ? std::max<std::int64_t>(0, begin - shape.window + 1) : 0;
    body(Block{begin, std::min(begin + kQueries, document.tokens), first});
  }
}

}  // namespace

void attention_blocks(Compute& compute, const Var<float>& q, const Var<float>& k,
                      const Var<float>& v, const AttentionShape& shape, const Document& document,
                      float* log_sums, float* out) {
  std::vector<float> scores(static_cast<std::size_t>(kQueries * document.tokens));
  for (std::int64_t h = 0; h < shape.heads; ++h) {
    const Head head(compute, q, k, shape, document, h);
    for_blocks(shape, document, [&](const Block& block) {
      head.scores(q.value, k.value, block, scores.data());
      head.for_queries(block, scores.data(),
                       [&](std::int64_t query, float* row, std::int64_t first, std::int64_t last) {
                         float most = -INFINITY;
                         for (auto j = first; j <= last; ++j)
                           most = std::max(most, row[j] = head.shaped(row[j]));
                         float sum = 0;
                         for (auto j = first; j <= last; ++j)
                           sum += row[j] = std::exp(row[j] - most);
                         for (auto j = first; j <= last; ++j) row[j] /= sum;
                         log_sums[(document.begin + query) * shape.heads + h] =
                             most + std::log(sum);
                       });
      head.weigh(scores.data(), v.value, block, false, out);
    });
  }
}

void attention_blocks_backward(Compute& compute, const Var<float>& q, const Var<float>& k,
                               const Var<float>& v, const AttentionShape& shape,
                               const Document& document, const float* log_sums,
                               const Var<float>& out, float* dq, float* dk, float* dv) {
  std::vector<float> scores(static_cast<std::size_t>(kQueries * document.tokens));
  std::vector<float> slopes(scores.size());
  for (std::int64_t h = 0; h < shape.heads; ++h) {
    const Head head(compute, q, k, shape, document, h);
    for_blocks(shape, document, [&](const Block& block) {
      head.scores(q.value, k.value, block, scores.data());
      head.scores(out.grad, v.value, block, slopes.data());
      float* const all_slopes = slopes.data();
      head.for_queries(block, scores.data(),
                       [&](std::int64_t query, float* row, std::int64_t first, std::int64_t last) {
                         const auto at = head.at(query);
                         const float mean = dot(out.grad + at, out.value + at, shape.head_width);
                         const float log_sum = log_sums[(document.begin + query) * shape.heads + h];
                         float* slope =
                             all_slopes + (query - block.begin) * block.positions() - block.first;
                         std::fill(slope + block.first, slope + first, 0.0f);
                         std::fill(slope + last + 1, slope + block.end, 0.0f);
                         for (auto j = first; j <= last; ++j) {
                           const float score = head.shaped(row[j]);
                           row[j] = std::exp(score - log_sum);
                           slope[j] = row[j] * (slope[j] - mean) * head.slope(score);
                         }
                       });
      if (dv != nullptr) head.weigh_back(scores.data(), out.grad, block, dv);
      if (dq != nullptr) head.weigh(slopes.data(), k.value, block, true, dq);
      if (dk != nullptr) head.weigh_back(slopes.data(), q.value, block, dk);
    });
  }
}

}  // namespace plinth::train
