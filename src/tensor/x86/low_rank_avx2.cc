#include "tensor/x86/low_rank_body.h"

namespace plinth::tensor {

namespace {
struct Tag {};
}  // namespace

const LowRankKernels kAvx2LowRank = LowRankBody<Tag>::kTable;

}  // namespace plinth::tensor
