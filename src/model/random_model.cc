#include "model/random_model.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "base/random.h"
#include "model/gguf/gguf_tokenizer_writer.h"
#include "model/gguf_writer.h"
#include "model/tokenize/byte_alphabet.h"
#include "model/tokenize/utf8.h"
#include "tensor/quantize.h"

namespace plinth::model {

namespace {

using tensor::DType;

constexpr RandomModelShape kShapes[] = {
    {"llama-1b", 16, 2048, 32, 8, 8192, 128'256, 131'072},
    {"llama-tiny", 2, 256, 4, 2, 512, 1024, 2048},
};

constexpr std::uint32_t kBytes = 256;
constexpr std::uint32_t kControlTokens = 2;  // <|begin_of_text|>, <|end_of_text|>
constexpr char kTemplate[] =
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]\n"
    "{{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}[assistant]\n{% endif %}";

// Four weights of mean 0 and deviation 1: each the sum of two uniform numbers, since a triangle is
// as good as a bell for rounding, and five times as fast.
std::array<float, 4> four_weights(std::uint64_t seed, std::uint32_t tensor, std::uint64_t at) {
  const auto bits = base::philox4x32(
      {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at >> 32), tensor, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  std::array<float, 4> out{};
  const float unit = std::sqrt(6.0f) / 65536.0f;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto sum = static_cast<std::int32_t>((bits[i] & 0xffff) + (bits[i] >> 16)) - 65535;
    out[i] = static_cast<float>(sum) * unit;
  }
  return out;
}

class Builder {
 public:
  Builder(const RandomModelOptions& options, base::ThreadPool& threads)
      : options_(options), threads_(threads) {}

  // Called in a fixed order: a tensor's number is part of its random numbers.
  void matrix(std::string name, DType dtype, std::int64_t rows, std::int64_t columns,
              float deviation) {
    const auto number = tensors_++;
    writer.add(std::move(name), dtype, rows, columns,
               [this, number, dtype, columns, deviation](std::int64_t first, std::int64_t count,
                                                         std::uint8_t* out) {
                 const auto bytes = tensor::row_bytes(dtype, columns);
                 threads_.parallel_for(count, 8, [&](std::int64_t begin, std::int64_t end) {
                   std::vector<float> row(static_cast<std::size_t>(columns));
                   for (auto r = begin; r < end; ++r) {
                     fill(number, first + r, deviation, row);
                     tensor::quantize_row(dtype, row.data(),
                                          out + static_cast<std::size_t>(r) * bytes, columns);
                   }
                 });
               });
  }
  void ones(std::string name, std::int64_t columns) {
    writer.add(std::move(name), DType::f32, 0, columns,
               [columns](std::int64_t, std::int64_t, std::uint8_t* out) {
                 const std::vector<float> row(static_cast<std::size_t>(columns), 1.0f);
                 tensor::quantize_row(DType::f32, row.data(), out, columns);
               });
  }

  GgufWriter writer;

 private:
  void fill(std::uint32_t number, std::int64_t r, float deviation, std::vector<float>& row) const {
    const auto columns = row.size();
    for (std::size_t c = 0; c < columns; c += 4) {
      const auto four = four_weights(options_.seed, number,
                                     static_cast<std::uint64_t>(r) * (columns / 4) + c / 4);
      for (std::size_t i = 0; i < 4; ++i) row[c + i] = four[i] * deviation;
    }
  }

  const RandomModelOptions& options_;
  base::ThreadPool& threads_;
  std::uint32_t tensors_ = 0;
};

// All bytes, then pairs of bytes, then a pair and a byte: different texts by construction.
TokenizerSpec made_up(std::uint32_t vocab) {
  TokenizerSpec spec;
  spec.pre = "llama-bpe";
  std::vector<std::string> letters;
  for (const auto point : byte_alphabet()) append_utf8(letters.emplace_back(), point);
  spec.tokens = letters;
  const std::size_t plain = vocab - kControlTokens;
  for (std::size_t parent = 0; spec.tokens.size() < plain; ++parent) {
    for (std::size_t i = 0; i < letters.size() && spec.tokens.size() < plain; ++i) {
      const std::string first = spec.tokens[parent];
      spec.merges.push_back({first, letters[i]});
      spec.tokens.push_back(first + letters[i]);
    }
  }
  spec.tokens.insert(spec.tokens.end(), {"<|begin_of_text|>", "<|end_of_text|>"});
  spec.types.assign(vocab, TokenType::normal);
  spec.types[plain] = spec.types[plain + 1] = TokenType::control;
  spec.bos = static_cast<TokenId>(plain);
  spec.add_bos = true;
  spec.eos = static_cast<TokenId>(plain + 1);
  return spec;
}

absl::Status check(const RandomModelOptions& options) {
  const auto& shape = options.shape;
  if (shape.vocab < kBytes + kControlTokens) {
    return base::invalid_argument(
        fmt::format("a vocabulary of {} has no room for {} bytes and {} "
                    "control tokens",
                    shape.vocab, kBytes, kControlTokens));
  }
  if (const auto* const given = options.tokenizer; given != nullptr) {
    RETURN_IF_ERROR(check_gguf_tokenizer(*given));
    if (given->tokens.size() != shape.vocab) {
      return base::invalid_argument(
          fmt::format("{} tokens for a vocabulary of {}", given->tokens.size(), shape.vocab));
    }
  }
  const std::pair<DType, std::uint32_t> rows[] = {
      {options.linear, shape.width}, {options.linear, shape.ff_width}, {options.head, shape.width}};
  for (const auto& [dtype, columns] : rows) {
    const auto& info = tensor::dtype_info(dtype);
    if (columns % static_cast<std::uint32_t>(info.block_elements) == 0) continue;
    return base::invalid_argument(fmt::format("rows of {} do not divide into {}'s blocks of {}",
                                              columns, info.name, info.block_elements));
  }
  return absl::OkStatus();
}

}  // namespace

std::span<const RandomModelShape> random_model_shapes() { return kShapes; }

absl::Status write_random_model(const RandomModelOptions& options, const std::string& path,
                                base::ThreadPool& threads,
                                const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  RETURN_IF_ERROR(check(options));
  const auto& shape = options.shape;
  Builder builder(options, threads);
  auto& writer = builder.writer;
  writer.set("general.architecture", "llama");
  writer.set("general.name",
             options.title.empty()
                 ? fmt::format("random {} {}, seed {}", shape.name,
                               tensor::dtype_info(options.linear).name, options.seed)
                 : options.title);
  writer.set("llama.block_count", shape.layers);
  writer.set("llama.context_length", shape.context);
  writer.set("llama.embedding_length", shape.width);
  writer.set("llama.feed_forward_length", shape.ff_width);
  writer.set("llama.attention.head_count", shape.heads);
  writer.set("llama.attention.head_count_kv", shape.kv_heads);
  writer.set("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer.set("llama.rope.freq_base", 500'000.0f);
  writer.set("llama.rope.dimension_count", shape.width / shape.heads);
  writer.set("llama.vocab_size", shape.vocab);
  add_gguf_tokenizer(options.tokenizer != nullptr ? *options.tokenizer : made_up(shape.vocab),
                     shape.vocab, kTemplate, writer);

  const std::int64_t width = shape.width, ff = shape.ff_width;
  const std::int64_t kv = width / shape.heads * shape.kv_heads;
  const auto input = [](std::int64_t n) { return 1.0f / std::sqrt(static_cast<float>(n)); };
  // Halves of a layer add up over the depth.
  const auto output = [&](std::int64_t n) {
    return input(n) / std::sqrt(2.0f * static_cast<float>(shape.layers));
  };
  builder.matrix("token_embd.weight", options.head, shape.vocab, width, input(width));
  builder.ones("output_norm.weight", width);
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const auto name = [&](const char* part) {
      return fmt::format("blk.{}.{}.weight", layer, part);
    };
    builder.ones(name("attn_norm"), width);
    builder.ones(name("ffn_norm"), width);
    builder.matrix(name("attn_q"), options.linear, width, width, input(width));
    builder.matrix(name("attn_k"), options.linear, kv, width, input(width));
    builder.matrix(name("attn_v"), options.linear, kv, width, input(width));
    builder.matrix(name("attn_output"), options.linear, width, width, output(width));
    builder.matrix(name("ffn_gate"), options.linear, ff, width, input(width));
    builder.matrix(name("ffn_up"), options.linear, ff, width, input(width));
    builder.matrix(name("ffn_down"), options.linear, width, ff, output(ff));
  }
  return writer.write(path, progress);
}

}  // namespace plinth::model
