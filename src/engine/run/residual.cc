#include "engine/run/residual.h"

namespace plinth::engine {

float* Residual::begin(int m) {
  stream_.resize(static_cast<std::size_t>(m) * static_cast<std::size_t>(context_.spec.width));
  branch_ = nullptr;
  return stream_.data();
}

void Residual::add_later(float* rows, const std::vector<float>& bias,
                         const model::NormWeights* post_norm) {
  branch_ = rows;
  bias_ = &bias;
  post_norm_ = post_norm;
}

void Residual::norm(int t, const model::NormWeights& weights, float* y) {
  const std::int64_t d = context_.spec.width;
  float* row = stream_.data() + t * d;
  if (branch_ != nullptr) {
    float* branch = branch_ + t * d;
    if (!bias_->empty()) context_.ops.add(branch, bias_->data(), d);
    if (post_norm_ != nullptr) norm_row(branch, *post_norm_, branch);
    context_.ops.add(row, branch, d);
  }
  norm_row(row, weights, y);
}

void Residual::norm_row(const float* x, const model::NormWeights& weights, float* y) const {
  const auto& spec = context_.spec;
  if (spec.norm == model::NormKind::rms) {
    context_.ops.rms_norm(x, weights.weight.data(), spec.norm_epsilon, spec.width, y);
  } else {
    context_.ops.layer_norm(x, weights.weight.data(), weights.bias.data(), spec.norm_epsilon,
                            spec.width, y);
  }
}

}  // namespace plinth::engine
