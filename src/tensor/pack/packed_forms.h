// The packed matrices behind PackedLinear, and what their activations look like.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/linear.h"
#include "tensor/x86/compact_kernels.h"

namespace plinth::tensor {

// Each form uses the fields it needs.
struct Activations::Impl {
  std::vector<PanelBlock> panels;  // compact: [ceil(m / 4), blocks]
  std::vector<std::int8_t> q;      // wide: [m, columns]
  std::vector<float> d, s;         // wide: [m, blocks]
  std::vector<float> floats;       // float: [m, columns]
  std::int64_t columns = 0;
};

// `options` names the memory.
using PackedResult = absl::StatusOr<std::unique_ptr<PackedLinear>>;
// scalar and avx2. Each part keeps the form of its own type.
PackedResult pack_compact(std::span<const MatrixView> parts, const LinearOptions& options);
// avx512 and amx: all parts as 4-bit or 8-bit integers.
PackedResult pack_wide(std::span<const MatrixView> parts, const LinearOptions& options);
// Every set: dequantised to fp32.
PackedResult pack_floats(std::span<const MatrixView> parts, const LinearOptions& options);

bool has_wide_form(DType dtype);
std::int64_t total_rows(std::span<const MatrixView> parts);

}  // namespace plinth::tensor
