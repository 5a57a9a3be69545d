#include "engine/run/packed_adapter.h"

namespace plinth::engine {

namespace {

using model::AdaptedMatrix;

AdaptedInput input_of(AdaptedMatrix matrix) {
  switch (matrix) {
    case AdaptedMatrix::q:
    case AdaptedMatrix::k:
    case AdaptedMatrix::v:
      return AdaptedInput::attention;
    case AdaptedMatrix::o:
      return AdaptedInput::attended;
    case AdaptedMatrix::gate:
    case AdaptedMatrix::up:
      return AdaptedInput::feed_forward;
    case AdaptedMatrix::down:
      return AdaptedInput::inner;
  }
  return AdaptedInput::inner;
}

// Where its outputs begin among those of the layer's stacked matrix.
std::int64_t column_of(AdaptedMatrix matrix, const model::DecoderSpec& spec) {
  const std::int64_t e = spec.head_width;
  if (matrix == AdaptedMatrix::k) return spec.heads * e;
  if (matrix == AdaptedMatrix::v) return (std::int64_t{spec.heads} + spec.kv_heads) * e;
  return matrix == AdaptedMatrix::up && spec.gated ? spec.ff_width : 0;
}

}  // namespace

std::shared_ptr<const PackedAdapter> pack_adapter(const model::AdapterFile& file,
                                                  const model::DecoderSpec& spec) {
  auto packed = std::make_shared<PackedAdapter>();
  packed->layers.resize(static_cast<std::size_t>(spec.layers));
  std::vector<tensor::LowRankPart> parts;
  for (std::size_t i = 0; i < file.parts.size(); ++i) {
    const auto& part = file.parts[i];
    parts.push_back(
        {part.rank, part.outputs, part.a.data(), part.b.data(), column_of(part.matrix, spec)});
    const auto input = input_of(part.matrix);
    const bool more = i + 1 < file.parts.size() && file.parts[i + 1].layer == part.layer &&
                      input_of(file.parts[i + 1].matrix) == input;
    if (more) continue;
    auto& place =
        packed->layers[static_cast<std::size_t>(part.layer)][static_cast<std::size_t>(input)];
    place = tensor::PackedLowRank::pack(part.inputs, parts);
    packed->bytes += place->bytes();
    parts.clear();
  }
  return packed;
}

}  // namespace plinth::engine
