#include "model/adapter/adapter_builder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "model/head_rows.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr std::string_view kNames[kAdaptedMatrices] = {"q", "k", "v", "o", "gate", "up", "down"};

absl::StatusOr<std::vector<float>> numbers_of(const std::string& name, const StoredTensor& tensor) {
  const auto rows = tensor.dims[0], columns = tensor.dims[1];
  std::vector<float> numbers(static_cast<std::size_t>(rows * columns));
  const auto stride = tensor::row_bytes(tensor.dtype, columns);
  for (std::int64_t r = 0; r < rows; ++r) {
    tensor::dequantize_row(tensor.dtype, tensor.data + static_cast<std::size_t>(r) * stride,
                           numbers.data() + r * columns, columns);
  }
  const auto bad = std::find_if_not(numbers.begin(), numbers.end(),
                                    [](float number) { return std::isfinite(number); });
  if (bad == numbers.end()) return numbers;
  return base::invalid_argument(
      fmt::format("[adapter] tensor {}: number {} is not finite", name, bad - numbers.begin()));
}

}  // namespace

std::string_view adapted_matrix_name(AdaptedMatrix matrix) {
  return kNames[static_cast<int>(matrix)];
}

absl::StatusOr<AdaptedShape> adapted_shape(const DecoderSpec& base, std::int64_t layer,
                                           AdaptedMatrix matrix) {
  if (layer < 0 || layer >= base.layers) {
    return base::invalid_argument(
        fmt::format("layer {} is adapted, and the base has {}", layer, base.layers));
  }
  const std::int64_t d = base.width, ff = base.ff_width;
  const std::int64_t q = std::int64_t{base.heads} * base.head_width;
  const std::int64_t kv = std::int64_t{base.kv_heads} * base.head_width;
  const bool experts = base.layer[static_cast<std::size_t>(layer)].experts;
  switch (matrix) {
    case AdaptedMatrix::q:
      return AdaptedShape{q, d};
    case AdaptedMatrix::k:
    case AdaptedMatrix::v:
      return AdaptedShape{kv, d};
    case AdaptedMatrix::o:
      return AdaptedShape{d, q};
    case AdaptedMatrix::gate:
      if (!base.gated) return base::invalid_argument("the base's feed-forward block has no gate");
      [[fallthrough]];
    case AdaptedMatrix::up:
      if (experts) break;
      return AdaptedShape{ff, d};
    case AdaptedMatrix::down:
      if (experts) break;
      return AdaptedShape{d, ff};
  }
  return base::unimplemented("adapters of mixtures of experts are not supported");
}

absl::Status AdapterBuilder::add(const std::string& name, std::int64_t layer, AdaptedMatrix matrix,
                                 bool is_b, const StoredTensor& tensor) {
  const auto shape = adapted_shape(base_, layer, matrix);
  if (!shape.ok()) return base::annotate(shape.status(), "[adapter] tensor " + name);
  if (tensor.dims.size() != 2) {
    return base::invalid_argument(
        fmt::format("[adapter] tensor {} is [{}], no matrix", name, fmt::join(tensor.dims, ", ")));
  }
  const auto wanted = is_b ? shape->outputs : shape->inputs;
  const auto has = is_b ? tensor.dims[0] : tensor.dims[1];
  const auto rank = is_b ? tensor.dims[1] : tensor.dims[0];
  if (has != wanted) {
    const auto text = is_b ? fmt::format("[{}, rank]", wanted) : fmt::format("[rank, {}]", wanted);
    return base::invalid_argument(fmt::format("[adapter] tensor {} is [{}], and the base wants {}",
                                              name, fmt::join(tensor.dims, ", "), text));
  }
  if (rank < 1 || rank > kAdapterRankMax) {
    return base::invalid_argument(
        fmt::format("[adapter] tensor {} has rank {}, not in 1..{}", name, rank, kAdapterRankMax));
  }
  if (tensor::dtype_info(tensor.dtype).block_elements != 1) {
    return base::unimplemented(
        fmt::format("[adapter] tensor {} has type {}; f32, f16 and bf16 are supported", name,
                    tensor::dtype_info(tensor.dtype).name));
  }
  numbers_ += static_cast<std::size_t>(has * rank);
  if (numbers_ > kAdapterNumbersMax) {
    return base::resource_exhausted(
        fmt::format("[adapter] it has over {} numbers", kAdapterNumbersMax));
  }
  auto& halves = halves_[{static_cast<std::int32_t>(layer), matrix}];
  auto& half = is_b ? halves.b : halves.a;
  if (half) {
    return base::invalid_argument(
        fmt::format("[adapter] tensors {} and {} are for the same matrix", half->name, name));
  }
  half = Half{name, tensor};
  return absl::OkStatus();
}

absl::StatusOr<AdapterPart> AdapterBuilder::join(const Place& place, const Halves& halves) const {
  if (!halves.a || !halves.b) {
    return base::invalid_argument(fmt::format("[adapter] tensor {} is alone: its {} is missing",
                                              halves.a ? halves.a->name : halves.b->name,
                                              halves.a ? "B" : "A"));
  }
  const auto &a = *halves.a, &b = *halves.b;
  if (a.tensor.dims[0] != b.tensor.dims[1]) {
    return base::invalid_argument(fmt::format("[adapter] tensor {} has rank {}, and {} has {}",
                                              a.name, a.tensor.dims[0], b.name, b.tensor.dims[1]));
  }
  AdapterPart part;
  part.layer = place.first;
  part.matrix = place.second;
  part.rank = static_cast<std::int32_t>(a.tensor.dims[0]);
  part.inputs = a.tensor.dims[1];
  part.outputs = b.tensor.dims[0];
  ASSIGN_OR_RETURN(part.a, numbers_of(a.name, a.tensor));
  ASSIGN_OR_RETURN(part.b, numbers_of(b.name, b.tensor));
  reorder(part);
  return part;
}

absl::Status AdapterBuilder::scale(double factor, AdapterPart& part) const {
  for (float& number : part.b) {
    number = static_cast<float>(static_cast<double>(number) * factor);
    if (!std::isfinite(number)) {
      return base::invalid_argument(
          fmt::format("[adapter] layer {}, {}: B times the factor {} is not finite", part.layer,
                      adapted_matrix_name(part.matrix), factor));
    }
  }
  return absl::OkStatus();
}

void AdapterBuilder::reorder(AdapterPart& part) const {
  const auto& rope = base_.rope;
  const bool turned = part.matrix == AdaptedMatrix::q || part.matrix == AdaptedMatrix::k;
  if (!turned || rope.dimensions == 0 || neighbour_pairs_ == !rope.half_split) return;
  const auto stored = part.b;
  for (std::int64_t r = 0; r < part.outputs; ++r) {
    const auto apart = row_among_halves(base_, r);
    const auto from = neighbour_pairs_ ? r : apart, to = neighbour_pairs_ ? apart : r;
    std::copy_n(stored.data() + from * part.rank, part.rank, part.b.data() + to * part.rank);
  }
}

}  // namespace plinth::model
