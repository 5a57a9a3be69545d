#include "tensor/x86/low_rank_body.h"

namespace plinth::tensor {

namespace {
struct Tag {};
}  // namespace

const LowRankKernels kAvx512LowRank = LowRankBody<Tag>::kTable;

}  // namespace plinth::tensor
