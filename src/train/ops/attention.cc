#include "train/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/check.h"
#include "train/ops/attention_blocks.h"
#include "train/ops/dot.h"

namespace plinth::train {

namespace {

// One head of queries with its keys and values, of one document.
template <typename T>
class Head {
 public:
  Head(const Var<T>& q, const Var<T>& k, const Var<T>& v, const AttentionShape& shape,
       const Document& document, std::int64_t head)
      : shape_(shape),
        stride_(q.columns),
        kv_stride_(k.columns),
        at_(document.begin * q.columns + head * shape.head_width),
        kv_at_(document.begin * k.columns +
               head / (shape.heads / shape.kv_heads) * shape.head_width),
        q_(q.value + at_),
        k_(k.value + kv_at_),
        v_(v.value + kv_at_) {}

  // The first position that position i attends to.
  std::int64_t first(std::int64_t i) const {
    return shape_.window > 0 ? std::max<std::int64_t>(0, i - shape_.window + 1) : 0;
  }

  // out: as q; returns the log-sum-exp of row i. scores: scratch of [i + 1].
  T forward_row(std::int64_t i, T* scores, T* out) const {
    const auto begin = first(i);
    T most = score(i, begin);
    for (auto j = begin; j <= i; ++j) {
      scores[j] = score(i, j);
      most = std::max(most, scores[j]);
    }
    T sum = 0;
    for (auto j = begin; j <= i; ++j) {
      scores[j] = std::exp(scores[j] - most);
      sum += scores[j];
    }
    T* row = out + at_ + i * stride_;
    std::fill_n(row, shape_.head_width, T{0});
    for (auto j = begin; j <= i; ++j)
      add_scaled(scores[j] / sum, v_ + j * kv_stride_, shape_.head_width, row);
    return most + std::log(sum);
  }

  // What row i of the outcome passes on. out, dout: as q. dq is null where not wanted, and so on.
  void backward_row(std::int64_t i, T log_sum, const T* out, const T* dout, T* dq, T* dk,
                    T* dv) const {
    const auto e = shape_.head_width;
    const T* dout_row = dout + at_ + i * stride_;
    const T mean = dot(dout_row, out + at_ + i * stride_, e);
    const auto cap = static_cast<T>(shape_.softcap);
    const auto scale = static_cast<T>(shape_.scale);
    for (auto j = first(i); j <= i; ++j) {
      const T s = score(i, j);
      const T p = std::exp(s - log_sum);
      if (dv != nullptr) add_scaled(p, dout_row, e, dv + kv_at_ + j * kv_stride_);
      T ds = p * (dot(dout_row, v_ + j * kv_stride_, e) - mean) * scale;
      if (cap > 0) ds *= 1 - (s / cap) * (s / cap);
      if (dq != nullptr) add_scaled(ds, k_ + j * kv_stride_, e, dq + at_ + i * stride_);
      if (dk != nullptr) add_scaled(ds, q_ + i * stride_, e, dk + kv_at_ + j * kv_stride_);
    }
  }

 private:
  T score(std::int64_t i, std::int64_t j) const {
    const T s = dot(q_ + i * stride_, k_ + j * kv_stride_, shape_.head_width) *
                static_cast<T>(shape_.scale);
    const auto cap = static_cast<T>(shape_.softcap);
    return cap > 0 ? cap * std::tanh(s / cap) : s;
  }

  const AttentionShape& shape_;
  const std::int64_t stride_, kv_stride_, at_, kv_at_;
  const T *const q_, *const k_, *const v_;
};

// Of fp32; others have the reference alone.
template <typename T>
bool by_blocks(const Document& document) {
  return std::is_same_v<T, float> && document.tokens >= kBlockedTokens;
}
// Those that go by blocks, or those that go row by row.
template <typename T>
std::vector<Document> those(const std::vector<Document>& documents, bool blocked) {
  std::vector<Document> chosen;
  for (const auto& document : documents) {
    if (by_blocks<T>(document) == blocked) chosen.push_back(document);
  }
  return chosen;
}

template <typename T>
void backward(Tape<T>& tape, Var<T>& q, Var<T>& k, Var<T>& v, const AttentionShape& shape,
              const std::vector<Document>& all, const Var<T>& log_sums, const Var<T>& out) {
  T* dq = q.wants_grad ? tape.grad(q) : nullptr;
  T* dk = k.wants_grad ? tape.grad(k) : nullptr;
  T* dv = v.wants_grad ? tape.grad(v) : nullptr;
  if constexpr (std::is_same_v<T, float>) {
    attention_blocks_backward(tape, q, k, v, shape, those<T>(all, true), log_sums.value, out, dq,
                              dk, dv);
  }
  const auto documents = those<T>(all, false);
  // Whoever has a head of keys has all queries that share it.
  const auto group = shape.heads / shape.kv_heads;
  tape.threads().parallel_for(
      static_cast<std::int64_t>(documents.size()) * shape.kv_heads, 1,
      [&](std::int64_t begin, std::int64_t end) {
        for (auto task = begin; task < end; ++task) {
          const auto& document = documents[static_cast<std::size_t>(task / shape.kv_heads)];
          const auto first = task % shape.kv_heads * group;
          for (auto h = first; h < first + group; ++h) {
            const Head<T> head(q, k, v, shape, document, h);
            for (std::int64_t i = 0; i < document.tokens; ++i) {
              const T log_sum = log_sums.value[(document.begin + i) * shape.heads + h];
              head.backward_row(i, log_sum, out.value, out.grad, dq, dk, dv);
            }
          }
        }
      });
}

}  // namespace

template <typename T>
Var<T>& attention(Tape<T>& tape, Var<T>& q, Var<T>& k, Var<T>& v, const AttentionShape& shape,
                  const std::vector<Document>& documents) {
  CHECK(q.columns == shape.heads * shape.head_width);
  CHECK(k.columns == shape.kv_heads * shape.head_width && v.columns == k.columns);
  Var<T>& log_sums = tape.make(q.rows, shape.heads, false);
  Var<T>& out = tape.make(q.rows, q.columns, q.wants_grad || k.wants_grad || v.wants_grad);
  if constexpr (std::is_same_v<T, float>) {
    attention_blocks(tape.compute(), q, k, v, shape, those<T>(documents, true), log_sums.value,
                     out.value);
  }
  const auto others = those<T>(documents, false);
  tape.threads().parallel_for(static_cast<std::int64_t>(others.size()) * shape.heads, 1,
                              [&](std::int64_t begin, std::int64_t end) {
                                for (auto task = begin; task < end; ++task) {
                                  const auto& document =
                                      others[static_cast<std::size_t>(task / shape.heads)];
                                  const auto h = task % shape.heads;
                                  const Head<T> head(q, k, v, shape, document, h);
                                  std::vector<T> scores(static_cast<std::size_t>(document.tokens));
                                  for (std::int64_t i = 0; i < document.tokens; ++i) {
                                    log_sums.value[(document.begin + i) * shape.heads + h] =
                                        head.forward_row(i, scores.data(), out.value);
                                  }
                                }
                              });
  tape.record(out, [&tape, &q, &k, &v, shape, &documents, &log_sums, &out] {
    backward(tape, q, k, v, shape, documents, log_sums, out);
  });
  return out;
}

template Var<float>& attention(Tape<float>&, Var<float>&, Var<float>&, Var<float>&,
                               const AttentionShape&, const std::vector<Document>&);
template Var<double>& attention(Tape<double>&, Var<double>&, Var<double>&, Var<double>&,
                                const AttentionShape&, const std::vector<Document>&);

}  // namespace plinth::train
