// A low-rank adapter read from its file: what it adds to the matrices of one decoder.
// Hu et al., "LoRA: low-rank adaptation of large language models", 2021.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/storage.h"
#include "model/decoder_spec.h"

namespace plinth::model {

enum class AdaptedMatrix : std::uint8_t { q, k, v, o, gate, up, down };
inline constexpr int kAdaptedMatrices = 7;
std::string_view adapted_matrix_name(AdaptedMatrix matrix);  // "q", "gate"

// W + B A of one matrix.
struct AdapterPart {
  std::int32_t layer = 0;
  AdaptedMatrix matrix = AdaptedMatrix::q;
  std::int32_t rank = 0;
  std::int64_t inputs = 0, outputs = 0;
  std::vector<float> a;  // [rank, inputs]
  std::vector<float> b;  // [outputs, rank], times the adapter's factor; rows as the base has them

  // Adds row `row` of B A. numbers: [inputs].
  void add_row(std::int64_t row, float* numbers) const;
  // The matrix as llama.cpp's files name it: "blk.0.attn_q.weight".
  std::string gguf_name() const;
};

struct AdapterFile {
  std::vector<AdapterPart> parts;  // by layer, then by matrix, each once
  std::string base_name;           // as the adapter spells it; "" = not said
  std::size_t bytes() const;       // of all numbers
};

// Whether the path is an adapter's: a folder with adapter_config.json, or a GGUF file that says so.
// False for what cannot be read.
bool is_adapter(const std::string& path);

struct AdapterPaths {
  std::string tensors;  // adapter_model.safetensors, or a GGUF file
  std::string config;   // adapter_config.json; "" = GGUF
};
// Of a folder as Hugging Face's PEFT writes it, or of a GGUF file.
AdapterPaths adapter_paths(const std::string& path);

// In the format of PEFT, or of llama.cpp's converter. `base` decides which matrices there are,
// their shapes and the order of q's and k's rows. InvalidArgument or Unimplemented names the file,
// the tensor or field, what it has and what was wanted; a number that is not finite is refused too.
// `read` opens the file of tensors, or of GGUF.
absl::StatusOr<AdapterFile> open_adapter(const AdapterPaths& paths, const DecoderSpec& base,
                                         const base::ReadFile& read = base::map_file);

// The base that a PEFT folder's configuration names; "" where it names none or cannot be read.
std::string adapter_base_name(const std::string& path);

}  // namespace plinth::model
