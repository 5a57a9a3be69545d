#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

namespace {
struct Tag {
  static constexpr int kLanes = 8;
  static constexpr bool kBfloat = false;
};
}  // namespace

constinit const AttentionTable kAvx2Attention = attention_table<Tag>();

}  // namespace plinth::tensor
