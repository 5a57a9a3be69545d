#include "train/muon.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "train/parts.h"

namespace plinth::train {

namespace {

constexpr std::string_view kLayers = "layers.";
constexpr int kIterations = 5;
// Of the polynomial a x + b x^3 + c x^5, as Jordan et al. chose them: the steepest at 0 that stays
// near 1.
constexpr float kA = 3.4445f, kB = -4.7750f, kC = 2.0315f;

// In fp64 and one order.
double norm_of(const float* x, std::int64_t size) {
  double squares = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const auto value = static_cast<double>(x[i]);
    squares += value * value;
  }
  return std::sqrt(squares);
}

// c = op(a) op(b), or c += where it accumulates; [m, k] times [k, n].
void multiply(const float* a, const float* b, bool b_transposed, std::int64_t m, std::int64_t n,
              std::int64_t k, float* c, bool accumulate, Compute& compute) {
  tensor::Gemm product;
  product.m = m;
  product.n = n;
  product.k = k;
  product.a = {a, k, false, tensor::DType::f32};
  product.b = {b, b_transposed ? k : n, b_transposed, tensor::DType::f32};
  product.c = c;
  product.ldc = n;
  product.accumulate = accumulate;
  tensor::gemm(product, compute.precision, compute.isa, compute.workspace, compute.threads);
}

void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
}

}  // namespace

bool muon_takes(const Parameter<float>& parameter) {
  return parameter.learns() && parameter.rows > 1 && parameter.columns > 1 &&
         parameter.name.compare(0, kLayers.size(), kLayers) == 0;
}

void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, Compute& compute) {
  const auto size = static_cast<std::size_t>(rows * columns);
  const double norm = norm_of(x, rows * columns);
  if (norm == 0) return;
  const auto m = std::min(rows, columns), n = std::max(rows, columns);
  std::vector<float> wide(size), next(size);
  std::vector<float> gram(static_cast<std::size_t>(m * m)), square(gram.size());
  const auto scale = static_cast<float>(1 / norm);
  for (std::size_t i = 0; i < size; ++i) x[i] *= scale;
  if (rows > columns) {
    transpose(x, rows, columns, wide.data());
  } else {
    std::copy_n(x, size, wide.data());
  }
  for (int i = 0; i < kIterations; ++i) {
    multiply(wide.data(), wide.data(), true, m, m, n, gram.data(), false, compute);
    multiply(gram.data(), gram.data(), false, m, m, m, square.data(), false, compute);
    for (std::size_t j = 0; j < gram.size(); ++j) gram[j] = kB * gram[j] + kC * square[j];
    for (std::size_t j = 0; j < size; ++j) next[j] = kA * wide[j];
    multiply(gram.data(), wide.data(), false, m, n, m, next.data(), true, compute);
    wide.swap(next);
  }
  if (rows > columns) {
    transpose(wide.data(), columns, rows, x);
  } else {
    std::copy_n(wide.data(), size, x);
  }
}

Muon::Muon(Parameters<float>& parameters, const MuonOptions& options, const Place& place)
    : options_(options) {
  for (auto& parameter : parameters.all()) {
    if (!muon_takes(parameter)) continue;
    auto& momentum = momenta_.emplace_back();
    momentum.parameter = &parameter;
    momentum.own = stretch_of(parameter.size(), place);
    momentum.values.resize(static_cast<std::size_t>(momentum.own.size()));
  }
}

absl::Status Muon::step(double learning_rate, double gradient_factor, Compute& compute,
                        Collective& ranks) {
  const auto beta = static_cast<float>(options_.momentum);
  const auto factor = static_cast<float>(gradient_factor);
  const auto place = ranks.place();
  int turn = 0;
  for (auto& momentum : momenta_) {
    auto& parameter = *momentum.parameter;
    float* direction = parameter.grad.data();
    for_parts(momentum.own, compute.threads,
              [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                for (auto i = begin; i < end; ++i) {
                  auto& kept = momentum.values[static_cast<std::size_t>(i - momentum.own.begin)];
                  const float g = direction[i] * factor;
                  kept = beta * kept + (1 - beta) * g;
                  direction[i] = (1 - beta) * g + beta * kept;
                }
              });
    RETURN_IF_ERROR(ranks.all_gather(parameter.grad));
    const int owner = turn++ % place.ranks;
    if (place.rank == owner) orthogonalize(direction, parameter.rows, parameter.columns, compute);
  }
  turn = 0;
  for (auto& momentum : momenta_) {
    auto& parameter = *momentum.parameter;
    RETURN_IF_ERROR(
        ranks.broadcast(std::as_writable_bytes(std::span(parameter.grad)), turn++ % place.ranks));
    const auto larger = static_cast<double>(std::max(parameter.rows, parameter.columns));
    const auto rate = static_cast<float>(learning_rate * options_.rms * std::sqrt(larger));
    const auto keep = static_cast<float>(1 - learning_rate * options_.weight_decay);
    float* value = parameter.value.data();
    const float* direction = parameter.grad.data();
    for_parts({0, parameter.size()}, compute.threads,
              [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                for (auto i = begin; i < end; ++i) value[i] = value[i] * keep - rate * direction[i];
              });
  }
  return absl::OkStatus();
}

}  // namespace plinth::train
