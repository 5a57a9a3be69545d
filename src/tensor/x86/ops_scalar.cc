#include "tensor/x86/ops_body.h"

namespace plinth::tensor {

namespace {
struct Tag {};
}  // namespace

const Ops kScalarOps = OpsBody<Tag>::kTable;

}  // namespace plinth::tensor
