#include "train/gradient_sum.h"

namespace plinth::train {

void GradientSum::final_from(std::size_t begin) {
  while (begin_ > begin) {
    auto& parameter = parameters_.all()[--begin_];
    if (parameter.learns() && status_.ok())
      status_ = ranks_.begin_reduce_scatter_sum(parameter.grad);
  }
}

absl::Status GradientSum::finish() {
  final_from(0);
  RETURN_IF_ERROR(status_);
  return ranks_.finish();
}

}  // namespace plinth::train
