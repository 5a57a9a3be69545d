#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

namespace {
struct Tag {
  static constexpr int kLanes = 16;
  static constexpr bool kBfloat = true;
};
}  // namespace

constinit const AttentionKernels kBfloatAttention = AttentionBody<Tag, BfloatPages<Tag>>::kTable;

}  // namespace plinth::tensor
