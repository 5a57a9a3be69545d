#include "tensor/x86/gradient_ops_body.h"

namespace plinth::tensor {

namespace {
struct Tag {};
}  // namespace

const GradientOps kScalarGradientOps = GradientOpsBody<Tag>::kTable;

}  // namespace plinth::tensor
