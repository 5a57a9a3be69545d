// As llama.cpp's convert_lora_to_gguf.py writes them: "blk.3.attn_q.weight.lora_a" [rank, inputs]
// and ".lora_b" [outputs, rank], with the base's permutation of q and k in B.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "model/adapter/adapter_builder.h"
#include "model/adapter/adapter_formats.h"
#include "model/limits.h"

namespace plinth::model {

namespace {

constexpr std::pair<std::string_view, AdaptedMatrix> kMatrices[] = {
    {"attn_q", AdaptedMatrix::q},      {"attn_k", AdaptedMatrix::k},
    {"attn_v", AdaptedMatrix::v},      {"attn_output", AdaptedMatrix::o},
    {"ffn_gate", AdaptedMatrix::gate}, {"ffn_up", AdaptedMatrix::up},
    {"ffn_down", AdaptedMatrix::down},
};

struct GgufName {
  std::int64_t layer = 0;
  AdaptedMatrix matrix = AdaptedMatrix::q;
  bool is_b = false;
};

std::optional<GgufName> parse_name(std::string_view name) {
  constexpr std::string_view kBlock = "blk.";
  if (!name.starts_with(kBlock)) return std::nullopt;
  name.remove_prefix(kBlock.size());
  GgufName parsed;
  const auto end = std::from_chars(name.data(), name.data() + name.size(), parsed.layer);
  if (end.ec != std::errc()) return std::nullopt;
  name.remove_prefix(static_cast<std::size_t>(end.ptr - name.data()));
  for (const auto& [matrix, which] : kMatrices) {
    for (const bool is_b : {false, true}) {
      if (name != fmt::format(".{}.weight.lora_{}", matrix, is_b ? 'b' : 'a')) continue;
      parsed.matrix = which;
      parsed.is_b = is_b;
      return parsed;
    }
  }
  return std::nullopt;
}

absl::Status check_kind(const Gguf& gguf, const DecoderSpec& base) {
  ASSIGN_OR_RETURN(const auto type, gguf.text("general.type"));
  if (type != "adapter") {
    return gguf.fail("general.type", fmt::format("is \"{}\", not \"adapter\"", type));
  }
  ASSIGN_OR_RETURN(const auto kind, gguf.text("adapter.type"));
  if (kind != "lora" || gguf.metadata.contains("adapter.alora.invocation_tokens")) {
    return base::unimplemented(
        fmt::format("[gguf] adapter.type is \"{}\"; plain lora is supported", kind));
  }
  ASSIGN_OR_RETURN(const auto architecture, gguf.text("general.architecture"));
  if (architecture == base.architecture) return absl::OkStatus();
  return gguf.fail("general.architecture", fmt::format("is \"{}\", and the base is \"{}\"",
                                                       architecture, base.architecture));
}

}  // namespace

absl::StatusOr<AdapterFile> read_gguf_adapter(const Gguf& gguf, const DecoderSpec& base) {
  RETURN_IF_ERROR(check_kind(gguf, base));
  ASSIGN_OR_RETURN(const double alpha, gguf.number("adapter.lora.alpha"));
  if (!std::isfinite(alpha) || alpha < 0 || alpha > kAdapterAlphaMax) {
    return gguf.fail("adapter.lora.alpha",
                     fmt::format("is {}, not in [0, {}]", alpha, kAdapterAlphaMax));
  }
  AdapterBuilder builder(base, base.architecture == "llama" || base.architecture == "smollm3");
  for (const auto& [name, tensor] : gguf.tensors) {
    const auto parsed = parse_name(name);
    if (!parsed) {
      return base::unimplemented(
          fmt::format("[gguf] tensor {} is of no matrix that can be adapted: attn_q, attn_k, "
                      "attn_v, attn_output, ffn_gate, ffn_up and ffn_down of a block",
                      name));
    }
    RETURN_IF_ERROR(
        builder.add(name, parsed->layer, parsed->matrix, parsed->is_b,
                    {tensor.dtype, {tensor.dims.rbegin(), tensor.dims.rend()}, tensor.data, 0}));
  }
  // llama.cpp takes an alpha of 0 for a factor of 1.
  return builder.finish(
      [&](std::int32_t rank) -> absl::StatusOr<double> { return alpha == 0 ? 1.0 : alpha / rank; });
}

std::string AdapterPart::gguf_name() const {
  const auto* const found = std::find_if(std::begin(kMatrices), std::end(kMatrices),
                                         [&](const auto& entry) { return entry.second == matrix; });
  return fmt::format("blk.{}.{}.weight", layer, found->first);
}

}  // namespace plinth::model
