#include "tensor/attention.h"

#include "tensor/x86/attention_body.h"

namespace plinth::tensor {

namespace {
constexpr std::string_view kNames[kKvTypes] = {"f32", "f16", "bf16", "q8"};
}  // namespace

std::string_view kv_type_name(KvType type) { return kNames[static_cast<int>(type)]; }

std::optional<KvType> kv_type_named(std::string_view name) {
  for (int i = 0; i < kKvTypes; ++i) {
    if (kNames[i] == name) return static_cast<KvType>(i);
  }
  return std::nullopt;
}

KvType best_kv_type(Isa isa) { return multiplies_bfloat(isa) ? KvType::bf16 : KvType::f16; }

const AttentionKernels& attention_kernels(Isa isa, KvType type) {
  const auto index = static_cast<std::size_t>(type);
  switch (isa) {
    case Isa::scalar:
      return kScalarAttention[index];
    case Isa::avx2:
      return kAvx2Attention[index];
    case Isa::avx512:
    case Isa::amx:
      if (type == KvType::bf16 && multiplies_bfloat(isa)) return kBfloatAttention;
      return kAvx512Attention[index];
  }
  return kScalarAttention[index];
}

const AttentionKernels& bulk_attention_kernels(Isa isa, KvType type) {
  if (isa == Isa::amx && type == KvType::bf16) return kTileAttention;
  return attention_kernels(isa, type);
}

}  // namespace plinth::tensor
