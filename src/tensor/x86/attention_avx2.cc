#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

namespace {
struct Tag {
  static constexpr int kLanes = 8;
};
}  // namespace

const AttentionKernels kAvx2Attention[kKvTypes] = {AttentionBody<Tag, float>::kTable,
                                                   AttentionBody<Tag, std::uint16_t>::kTable,
                                                   AttentionBody<Tag, std::int8_t>::kTable};

}  // namespace plinth::tensor
