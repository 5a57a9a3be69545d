// The packed matrices behind PackedLinear, and what their activations look like.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tensor/aligned_scratch.h"
#include "tensor/linear.h"
#include "tensor/x86/bulk_kernels.h"
#include "tensor/x86/compact_kernels.h"

namespace plinth::tensor {

// From so many tokens for each thread on, threads share a product by tokens and not by rows of
// weights: as many as the widest tile of a kernel takes.
inline constexpr int kOwnTokens = 16;

// Of what the packed bytes of a matrix look like, in files that keep them: to be raised with every
// change of a form (PackedFile's tests hold a digest of each).
inline constexpr std::uint64_t kPackedVersion = 2;

// Each form uses the fields it needs.
struct Activations::Impl {
  std::vector<PanelBlock> panels;       // compact: [ceil(m / 4), blocks]
  AlignedScratch<std::uint16_t> tiles;  // compact, of bulk rows: as bulk_place() says
  std::vector<float> floats;            // float: [m, columns]
  std::vector<std::uint16_t> bfloats;   // bfloat16: [m, bfloat_columns(columns)]
  std::int64_t columns = 0;
  int bulk_from = 0;  // rows from here on lie in `tiles`
};

// What multiplies bulk rows, none where they are like all others.
struct BulkKernels {
  BulkProduct multiply = nullptr;
  BulkRound round_for_floats = nullptr, round_for_compact = nullptr;
};
BulkKernels bulk_for(const LinearOptions& options);

// `options` names the store.
using PackedResult = absl::StatusOr<std::unique_ptr<PackedLinear>>;
// The quantised types: each part keeps the form of its own type.
PackedResult pack_compact(std::span<const MatrixView> parts, const LinearOptions& options);
// F32, F16 and BF16 as they are; all others dequantised to fp32.
PackedResult pack_floats(std::span<const MatrixView> parts, const LinearOptions& options);

std::int64_t total_rows(std::span<const MatrixView> parts);

}  // namespace plinth::tensor
