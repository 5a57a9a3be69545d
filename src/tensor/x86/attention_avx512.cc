#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

namespace {
struct Tag {
  static constexpr int kLanes = 16;
  static constexpr bool kBfloat = false;
};
}  // namespace

constinit const AttentionTable kAvx512Attention = attention_table<Tag>();

}  // namespace plinth::tensor
