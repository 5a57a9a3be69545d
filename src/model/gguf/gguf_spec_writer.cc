#include "model/gguf/gguf_spec_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/decoder/rope_scaling.h"

namespace plinth::model {

namespace {

constexpr std::string_view kWritten[] = {"llama", "qwen2", "qwen3", "gpt2"};

absl::Status not_written(const DecoderSpec& spec, std::string_view what) {
  return base::unimplemented(
      fmt::format("[export] {}: {} cannot be written as GGUF", spec.architecture, what));
}

// The keys of one architecture: "llama." and a name.
class Keys {
 public:
  Keys(std::string architecture, GgufWriter& writer)
      : prefix_(std::move(architecture) + "."), writer_(writer) {}
  void count(const char* name, std::int32_t value) {
    writer_.set(prefix_ + name, static_cast<std::uint32_t>(value));
  }
  void number(const char* name, double value) {
    writer_.set(prefix_ + name, static_cast<float>(value));
  }
  void text(const char* name, std::string_view value) { writer_.set(prefix_ + name, value); }

 private:
  const std::string prefix_;
  GgufWriter& writer_;
};

bool is_plain(const RopeScaling& scaling) {
  return scaling.kind == "default" || scaling.kind == "none";
}

// What read_scaling() makes of the keys below.
bool comes_back(const DecoderSpec& spec) {
  const auto& given = spec.rope.scaling;
  RopeScaling read;
  read.kind = given.kind;
  read.factor = given.factor;
  read.original_context = given.original_context;
  read.beta_fast = given.beta_fast;
  read.beta_slow = given.beta_slow;
  RopeSpec made = spec.rope;
  return set_rope_frequencies(spec.rope.theta, read, {}, spec.context, made).ok() &&
         made.frequencies == spec.rope.frequencies &&
         made.attention_factor == spec.rope.attention_factor;
}

// Of Llama 3: one number for each pair, by which its frequency is divided.
void add_divisors(const RopeSpec& rope, GgufWriter& writer) {
  const auto pairs = static_cast<std::int64_t>(rope.frequencies.size());
  writer.add("rope_freqs.weight", tensor::DType::f32, 0, pairs,
             [&rope](std::int64_t, std::int64_t, std::uint8_t* out) {
               auto* divisors = reinterpret_cast<float*>(out);
               for (std::size_t i = 0; i < rope.frequencies.size(); ++i) {
                 const double plain =
                     std::pow(rope.theta, -2.0 * static_cast<double>(i) / rope.dimensions);
                 divisors[i] = static_cast<float>(plain / rope.frequencies[i]);
               }
             });
}

absl::Status add_rope(const DecoderSpec& spec, Keys& keys, GgufWriter& writer) {
  if (spec.learned_positions) return absl::OkStatus();
  const auto& scaling = spec.rope.scaling;
  keys.count("rope.dimension_count", spec.rope.dimensions);
  keys.number("rope.freq_base", spec.rope.theta);
  if (scaling.kind == "llama3" && spec.architecture == "llama") {
    add_divisors(spec.rope, writer);
    return absl::OkStatus();
  }
  const bool known = is_plain(scaling) || scaling.kind == "linear" || scaling.kind == "yarn";
  if (!known || !comes_back(spec)) return not_written(spec, "its rope scaling");
  if (is_plain(scaling)) return absl::OkStatus();
  keys.text("rope.scaling.type", scaling.kind);
  keys.number("rope.scaling.factor", scaling.factor);
  if (scaling.kind == "linear") return absl::OkStatus();
  keys.count("rope.scaling.original_context_length", scaling.original_context);
  keys.number("rope.scaling.yarn_beta_fast", scaling.beta_fast);
  keys.number("rope.scaling.yarn_beta_slow", scaling.beta_slow);
  return absl::OkStatus();
}

absl::Status check(const DecoderSpec& spec) {
  if (std::find(std::begin(kWritten), std::end(kWritten), spec.architecture) == std::end(kWritten))
    return not_written(spec, "the architecture");
  for (const auto& layer : spec.layer) {
    // llama.cpp's readers of these architectures attend to everything.
    if (layer.window != 0) return not_written(spec, "a sliding window");
    if (layer.experts) return not_written(spec, "a mixture of experts");
    if (layer.rope == LayerRope::none && !spec.learned_positions)
      return not_written(spec, "layers without positions");
  }
  if (spec.attention_softcap != 0 || spec.final_softcap != 0 || spec.embedding_scale != 1 ||
      spec.logits_scale != 1)
    return not_written(spec, "a scale or a cap");
  return absl::OkStatus();
}

}  // namespace

bool gguf_neighbours(std::string_view architecture) { return architecture == "llama"; }

absl::Status add_gguf_spec(const ModelFile& model, GgufWriter& writer) {
  const auto& spec = model.spec;
  RETURN_IF_ERROR(check(spec));
  writer.set("general.architecture", spec.architecture);
  if (!model.name.empty()) writer.set("general.name", model.name);
  if (!model.license.empty()) writer.set("general.license", model.license);
  Keys keys(spec.architecture, writer);
  keys.count("vocab_size", spec.vocab);
  keys.count("context_length", spec.context);
  keys.count("embedding_length", spec.width);
  keys.count("block_count", spec.layers);
  keys.count("feed_forward_length", spec.ff_width);
  keys.count("attention.head_count", spec.heads);
  keys.count("attention.head_count_kv", spec.kv_heads);
  keys.count("attention.key_length", spec.head_width);
  keys.count("attention.value_length", spec.head_width);
  keys.number(spec.norm == NormKind::rms ? "attention.layer_norm_rms_epsilon"
                                         : "attention.layer_norm_epsilon",
              spec.norm_epsilon);
  return add_rope(spec, keys, writer);
}

}  // namespace plinth::model
