#include "model/gguf/gguf_type.h"

#include <fmt/format.h>

#include "base/check.h"

namespace plinth::model {

namespace {

using tensor::DType;

struct KnownType {
  std::uint32_t number;
  const char* name;
  std::optional<DType> dtype;
};

constexpr KnownType kTypes[] = {
    {0, "f32", DType::f32},
    {1, "f16", DType::f16},
    {2, "q4_0", DType::q4_0},
    {3, "q4_1", DType::q4_1},
    {4, "q4_2", {}},
    {5, "q4_3", {}},
    {6, "q5_0", DType::q5_0},
    {7, "q5_1", DType::q5_1},
    {8, "q8_0", DType::q8_0},
    {9, "q8_1", {}},
    {10, "q2_k", DType::q2_k},
    {11, "q3_k", DType::q3_k},
    {12, "q4_k", DType::q4_k},
    {13, "q5_k", DType::q5_k},
    {14, "q6_k", DType::q6_k},
    {15, "q8_k", {}},
    {16, "iq2_xxs", {}},
    {17, "iq2_xs", {}},
    {18, "iq3_xxs", {}},
    {19, "iq1_s", {}},
    {20, "iq4_nl", DType::iq4_nl},
    {21, "iq3_s", {}},
    {22, "iq2_s", {}},
    {23, "iq4_xs", DType::iq4_xs},
    {24, "i8", {}},
    {25, "i16", {}},
    {26, "i32", {}},
    {27, "i64", {}},
    {28, "f64", {}},
    {29, "iq1_m", {}},
    {30, "bf16", DType::bf16},
    {34, "tq1_0", {}},
    {35, "tq2_0", {}},
    {39, "mxfp4", {}},
};

}  // namespace

std::optional<DType> gguf_dtype(std::uint32_t type) {
  for (const auto& known : kTypes) {
    if (known.number == type) return known.dtype;
  }
  return std::nullopt;
}

std::uint32_t gguf_type_number(DType dtype) {
  for (const auto& known : kTypes) {
    if (known.dtype == dtype) return known.number;
  }
  CHECK(false);
}

std::string gguf_type_name(std::uint32_t type) {
  for (const auto& known : kTypes) {
    if (known.number == type) return fmt::format("{} ({})", known.name, type);
  }
  return std::to_string(type);
}

}  // namespace plinth::model
