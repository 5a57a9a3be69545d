#include "train/ops/attention_blocks.h"

#include <algorithm>
#include "train/rows.h"

namespace plinth::train {

namespace {

// Queries at a time: their scores over 2,000 positions are 1 MB.
constexpr std::int64_t kQueries = 128;

// Some queries of one head of a document, and the positions that any of them attends to.
struct Block {
  std::int64_t begin = 0, end = 0;  // of the queries, in the document
  std::int64_t first = 0;           // position; the last is end - 1
  std::int64_t queries() const { return end - begin; }
  std::int64_t positions() const { return end - first; }
};

// Worked on by one thread.
class Head {
 public:
  Head(Compute& compute, ComputeLane& lane, const Var<float>& q, const Var<float>& k,
       const AttentionShape& shape, const Document& document, std::int64_t head)
      : compute_(compute),
        lane_(lane),
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
  // to += weights^T x values, both of arrays as q.
  void weigh_back(const float* weights, const float* values, const Block& block, float* to) const {
    tensor::Gemm gemm;
    gemm.m = block.positions();
    gemm.n = shape_.head_width;
    gemm.k = block.queries();
    gemm.a = {weights, block.positions(), true};
    gemm.b = {values + at(block.begin), stride_};
    gemm.c = to + at(block.first);
    gemm.ldc = stride_;
    gemm.accumulate = true;
    run(gemm);
  }
  // Calls body(query, its row of the scores, first position that it attends to, how many), and
  // makes the others 0.
  template <typename Body>
  void for_queries(const Block& block, float* scores, const Body& body) const {
    for (auto query = block.begin; query < block.end; ++query) {
      float* row = scores + (query - block.begin) * block.positions();
      const auto first =
          shape_.window > 0 ? std::max(block.first, query - shape_.window + 1) : block.first;
      std::fill(row, row + (first - block.first), 0.0f);
      std::fill(row + (query + 1 - block.first), row + block.positions(), 0.0f);
      body(query, row + (first - block.first), query + 1 - first);
    }
  }
  // Zeros for the head's own columns of an array as q.
  void clear(float* to, std::int64_t tokens) const {
    for (std::int64_t i = 0; i < tokens; ++i) std::fill_n(to + at(i), shape_.head_width, 0.0f);
  }
  float scale() const { return static_cast<float>(shape_.scale); }
  float cap() const { return static_cast<float>(shape_.softcap); }

 private:
  void run(const tensor::Gemm& gemm) const {
    tensor::gemm(gemm, compute_.precision, compute_.isa, lane_.workspace, lane_.alone);
  }
  Compute& compute_;
  ComputeLane& lane_;
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

// body(document, head, lane) for every head of every document.
template <typename Body>
void for_heads(Compute& compute, const AttentionShape& shape,
               const std::vector<Document>& documents, const Body& body) {
  const auto tasks = static_cast<std::int64_t>(documents.size()) * shape.heads;
  compute.threads.parallel_for_threads(
      tasks, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
        for (auto task = begin; task < end; ++task) {
          body(documents[static_cast<std::size_t>(task / shape.heads)], task % shape.heads,
               compute.lanes[static_cast<std::size_t>(thread)]);
        }
      });
}

// to += the sum of the parts of the heads that share one of keys. parts: as q; to: as k.
void add_groups(Compute& compute, const AttentionShape& shape, const Document& document,
                const float* parts, float* to) {
  const auto group = shape.heads / shape.kv_heads, width = shape.head_width;
  for_rows(compute.threads, document.tokens, [&](std::int64_t i) {
    const float* part = parts + (document.begin + i) * shape.heads * width;
    float* row = to + (document.begin + i) * shape.kv_heads * width;
    for (std::int64_t h = 0; h < shape.heads; ++h)
      compute.ops.add_scaled(1, part + h * width, width, row + h / group * width);
  });
}

}  // namespace

void attention_blocks(Compute& compute, const Var<float>& q, const Var<float>& k,
                      const Var<float>& v, const AttentionShape& shape,
                      const std::vector<Document>& documents, float* log_sums, float* out) {
  for_heads(
      compute, shape, documents, [&](const Document& document, std::int64_t h, ComputeLane& lane) {
        const Head head(compute, lane, q, k, shape, document, h);
        float* scores = lane.scratch.reserve(static_cast<std::size_t>(kQueries * document.tokens));
        for_blocks(shape, document, [&](const Block& block) {
          head.scores(q.value, k.value, block, scores);
          head.for_queries(block, scores, [&](std::int64_t query, float* row, std::int64_t count) {
            log_sums[(document.begin + query) * shape.heads + h] =
                compute.ops.softmax(row, count, head.scale(), head.cap());
          });
          head.weigh(scores, v.value, block, false, out);
        });
      });
}

void attention_blocks_backward(Tape<float>& tape, const Var<float>& q, const Var<float>& k,
                               const Var<float>& v, const AttentionShape& shape,
                               const std::vector<Document>& documents, const float* log_sums,
                               const Var<float>& out, float* dq, float* dk, float* dv) {
  auto& compute = tape.compute();
  // By head of queries, so that each is one thread's.
  float* dk_parts = dk == nullptr ? nullptr : tape.make(q.rows, q.columns, false).value;
  float* dv_parts = dv == nullptr ? nullptr : tape.make(q.rows, q.columns, false).value;
  for_heads(
      compute, shape, documents, [&](const Document& document, std::int64_t h, ComputeLane& lane) {
        const Head head(compute, lane, q, k, shape, document, h);
        const auto size = static_cast<std::size_t>(kQueries * document.tokens);
        float* scores = lane.scratch.reserve(2 * size);
        float* slopes = scores + size;
        if (dk != nullptr) head.clear(dk_parts, document.tokens);
        if (dv != nullptr) head.clear(dv_parts, document.tokens);
        for_blocks(shape, document, [&](const Block& block) {
          head.scores(q.value, k.value, block, scores);
          head.scores(out.grad, v.value, block, slopes);
          head.for_queries(block, slopes, [](std::int64_t, float*, std::int64_t) {});
          head.for_queries(block, scores, [&](std::int64_t query, float* row, std::int64_t count) {
            const auto at = head.at(query);
            const float mean = compute.ops.dot(out.grad + at, out.value + at, shape.head_width);
            compute.ops.softmax_back(row, slopes + (row - scores), count, head.scale(), head.cap(),
                                     log_sums[(document.begin + query) * shape.heads + h], mean);
          });
          if (dv != nullptr) head.weigh_back(scores, out.grad, block, dv_parts);
          if (dq != nullptr) head.weigh(slopes, k.value, block, true, dq);
          if (dk != nullptr) head.weigh_back(slopes, q.value, block, dk_parts);
        });
      });
  for (const auto& document : documents) {
    if (dk != nullptr) add_groups(compute, shape, document, dk_parts, dk);
    if (dv != nullptr) add_groups(compute, shape, document, dv_parts, dv);
  }
}

}  // namespace plinth::train
