#include "tensor/linear.h"

#include <fmt/format.h>

#include "base/check.h"
#include "tensor/pack/compact_form.h"
#include "tensor/pack/packed_forms.h"

namespace plinth::tensor {

Activations::Activations() : impl_(std::make_unique<Impl>()) {}
Activations::~Activations() = default;
Activations::Activations(Activations&&) noexcept = default;
Activations& Activations::operator=(Activations&&) noexcept = default;

std::int64_t total_rows(std::span<const MatrixView> parts) {
  std::int64_t rows = 0;
  for (const auto& part : parts) rows += part.rows;
  return rows;
}

BulkKernels bulk_for(const LinearOptions& options) {
  if (options.mode != LinearMode::fast) return {};
  if (options.bulk_reference) {
    return {multiply_bulk_scalar, round_for_floats_scalar, round_for_compact_scalar};
  }
  if (options.isa == Isa::amx) {
    return {multiply_bulk_amx, round_for_floats_amx, round_for_compact_amx};
  }
  return {};
}

bool multiplies_bulk_apart(const LinearOptions& options) {
  return bulk_for(options).multiply != nullptr;
}

absl::StatusOr<std::unique_ptr<PackedLinear>> pack_linear(std::span<const MatrixView> parts,
                                                          const LinearOptions& options) {
  if (parts.empty()) return base::invalid_argument("[pack_linear] no matrix");
  bool integers = options.mode == LinearMode::fast;
  for (const auto& part : parts) {
    if (part.columns != parts[0].columns || part.columns <= 0 || part.rows <= 0) {
      return base::invalid_argument(
          fmt::format("[pack_linear] {} x {} does not stack on {} columns", part.rows, part.columns,
                      parts[0].columns));
    }
    if (part.columns % dtype_info(part.dtype).block_elements != 0) {
      return base::invalid_argument(fmt::format("[pack_linear] {} columns are no whole {} blocks",
                                                part.columns, dtype_info(part.dtype).name));
    }
    integers = integers && has_compact_form(part.dtype);
  }
  LinearOptions own = options;
  if (own.store == nullptr) own.store = std::make_shared<PackedStore>();
  if (!integers) return pack_floats(parts, own);
  return pack_compact(parts, own);
}

void gather_rows(const MatrixView& table, std::span<const std::int32_t> ids, float* out) {
  const auto stride = row_bytes(table.dtype, table.columns);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    CHECK(ids[i] >= 0 && ids[i] < table.rows);
    dequantize_row(table.dtype, table.data + static_cast<std::size_t>(ids[i]) * stride,
                   out + static_cast<std::int64_t>(i) * table.columns, table.columns);
  }
}

}  // namespace plinth::tensor
